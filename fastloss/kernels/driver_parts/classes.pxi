# Losses of a row of classes. Three ways through a chunk of rows, chosen by shape and layout alone:
#
#   block   few classes, or the classes not last in memory: rows side by side, class by class
#   row     many classes that lie side by side: along the row
#   pick    a loss of the target's class alone, on probabilities: an elementwise tile of them

cdef enum:
    # Elements, not rows, of a chunk.
    CLASS_CHUNK = 16384
    # A block has its labels as reals, and float is exact so far.
    EXACT_LABELS = 16777216


cdef Py_ssize_t rows_per_chunk(Py_ssize_t classes) noexcept nogil:
    cdef Py_ssize_t rows = CLASS_CHUNK // classes
    if rows < 1:
        return 1
    return rows if rows < ROWS else rows - rows % ROWS


cdef Py_ssize_t read_labels(const Job* job, Py_ssize_t start, Py_ssize_t n,
                            double* label) noexcept nogil:
    # Labels as doubles, in which every class number is exact; -1 where the row is ignored or the
    # label is not a class. Returns how many are not.
    cdef Py_ssize_t i, bad = 0
    cdef double x
    cdef bint ignored
    load(job, job.double_tools, &job.operands[TARGET], start, n, label)
    for i in range(n):
        x = label[i]
        ignored = job.has_ignore_index and x == job.ignore_index
        if not ignored and x >= 0 and x < job.classes and x == <double><int64_t>x:
            continue
        label[i] = -1
        bad += not ignored
    return bad


cdef inline double weight_at(const Job* job, const void* weight, Py_ssize_t i) noexcept nogil:
    if weight == NULL:
        return 1
    return (<const float*>weight)[i] if job.real_size == 4 else (<const double*>weight)[i]


cdef inline void put(const Job* job, void* tile, Py_ssize_t i, double x) noexcept nogil:
    if job.real_size == 4:
        (<float*>tile)[i] = <float>x
    else:
        (<double*>tile)[i] = x


cdef void label_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    # Before anything is read with a label: are all of them classes, and what is the mean's divisor?
    cdef double label[TILE]
    cdef double buffer[TILE]
    cdef double total = 0
    cdef double w
    cdef const void* weight = NULL
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t n, i, kept = 0
    job.bad[chunk] = 0
    while start < stop:
        n = min(<Py_ssize_t>TILE, stop - start)
        if job.labels:
            job.bad[chunk] += read_labels(job, start, n, label)
        if job.operands[WEIGHT].data != NULL:
            weight = tile_in(job, WEIGHT, start, n, buffer)
        for i in range(n):
            if job.labels and label[i] < 0:
                continue
            kept += 1
            w = weight_at(job, weight, i)
            if job.labels and job.class_weight_double != NULL:
                w *= job.class_weight_double[<Py_ssize_t>label[i]]
            total += w
        start += n
    job.counts[chunk] = kept
    job.weights[chunk] = total


cdef inline char* thread_scratch(const Job* job, int slot) noexcept nogil:
    return job.scratch + slot * job.scratch_size


cdef inline double class_weight_of(const Job* job, double label) noexcept nogil:
    if job.class_weight_double == NULL or label < 0:
        return 1
    return job.class_weight_double[<Py_ssize_t>label]


cdef void block_in(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                   void* row_buffer, void* block) noexcept nogil:
    # n rows, side by side for each class.
    cdef Py_ssize_t left, r
    cdef const char* data = operand.data + offset_of(job, operand, start, &left)
    if (operand.plain and operand.class_stride == operand.size and left >= n
            and operand.strides[job.ndim - 1] == job.classes * operand.size):
        job.tools.transpose_in(data, n, job.classes, ROWS, block)
        return
    for r in range(n):
        load_classes(job, operand, start + r, row_buffer)
        job.tools.transpose_in(row_buffer, 1, job.classes, ROWS, <char*>block + r * job.real_size)


cdef void block_out(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                    void* row_buffer, const void* block) noexcept nogil:
    cdef Py_ssize_t left, r
    cdef char* data = operand.data + offset_of(job, operand, start, &left)
    if (operand.plain and operand.class_stride == operand.size and left >= n
            and operand.strides[job.ndim - 1] == job.classes * operand.size):
        job.tools.transpose_out(block, n, job.classes, ROWS, data)
        return
    for r in range(n):
        job.tools.transpose_out(<const char*>block + r * job.real_size, 1, job.classes, ROWS,
                                row_buffer)
        store_classes(job, operand, start + r, row_buffer)


cdef void block_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef double labels[ROWS]
    cdef double label_tile[ROWS]
    cdef double label_weight[ROWS]
    cdef double weight_buffer[ROWS]
    cdef double step[ROWS]
    cdef double value[ROWS]
    cdef double lanes[LANES]
    cdef double weight_lanes[LANES]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t n, left, i, offset
    cdef Py_ssize_t block_size = job.classes * ROWS * job.real_size
    cdef char* row_buffer = thread_scratch(job, slot)
    cdef char* blocks = row_buffer + job.classes * job.real_size
    cdef const void* weight
    cdef bint direct
    cdef ClassTile tile
    blocks += -<Py_ssize_t>(<size_t>blocks % 64) + 64
    memset(lanes, 0, sizeof(lanes))
    memset(&tile, 0, sizeof(tile))
    tile.classes = job.classes
    tile.label = label_tile
    tile.label_weight = label_weight
    tile.step = step
    tile.class_weight = job.class_weight
    tile.class_weight_sum = job.class_weight_sum
    tile.smoothing = job.smoothing
    tile.parameters = job.parameters
    tile.value = value
    while start < stop:
        n = min(<Py_ssize_t>ROWS, stop - start)
        direct = False
        if job.direct_block:
            offset = offset_of(job, &job.operands[PREDICTION], start, &left)
            n = min(n, left)
            if n >= LANES:
                n &= ~<Py_ssize_t>(LANES - 1)
                direct = True
        tile.rows = round_up(n)
        weight = NULL
        if job.operands[WEIGHT].data != NULL:
            weight = tile_in(job, WEIGHT, start, n, weight_buffer)
        if job.labels:
            read_labels(job, start, n, labels)
        for i in range(tile.rows):
            if i >= n:
                labels[i] = -1
            put(job, step, i, weight_at(job, weight, i) * job.scale if i < n else 0)
            if job.labels:
                put(job, label_tile, i, labels[i])
                put(job, label_weight, i, class_weight_of(job, labels[i]))
        if direct:
            tile.logits = job.operands[PREDICTION].data + offset
            tile.logits_stride = job.operands[PREDICTION].class_stride // job.real_size
            if not job.labels:
                tile.probabilities = (job.operands[TARGET].data
                                      + offset_of(job, &job.operands[TARGET], start, &left))
                tile.probabilities_stride = job.operands[TARGET].class_stride // job.real_size
            if job.has_gradient:
                tile.gradient = (job.operands[GRADIENT].data
                                 + offset_of(job, &job.operands[GRADIENT], start, &left))
                tile.gradient_stride = job.operands[GRADIENT].class_stride // job.real_size
            if job.has_hessian:
                tile.hessian = (job.operands[HESSIAN].data
                                + offset_of(job, &job.operands[HESSIAN], start, &left))
                tile.hessian_stride = job.operands[HESSIAN].class_stride // job.real_size
        else:
            tile.logits = blocks
            tile.logits_stride = ROWS
            block_in(job, &job.operands[PREDICTION], start, n, row_buffer, blocks)
            tile.probabilities_stride = ROWS
            if not job.labels:
                tile.probabilities = blocks + 3 * block_size
                block_in(job, &job.operands[TARGET], start, n, row_buffer, blocks + 3 * block_size)
            tile.gradient_stride = ROWS
            tile.hessian_stride = ROWS
            if job.has_gradient:
                tile.gradient = blocks + block_size
            if job.has_hessian:
                tile.hessian = blocks + 2 * block_size
        if job.labels:
            job.block(&tile)
        else:
            job.tools.soft_block(&tile)
        if not direct:
            if job.has_gradient:
                block_out(job, &job.operands[GRADIENT], start, n, row_buffer, tile.gradient)
            if job.has_hessian:
                block_out(job, &job.operands[HESSIAN], start, n, row_buffer, tile.hessian)
        finish_values(job, start, n, value, weight, lanes)
        start += n
    job.totals[chunk] = lane_total(lanes)


cdef void finish_values(const Job* job, Py_ssize_t start, Py_ssize_t n, void* value,
                        const void* weight, double* lanes) noexcept nogil:
    # The rows' values: stored one by one, or summed.
    cdef Py_ssize_t i
    if job.operands[VALUE].data != NULL:
        if weight != NULL:
            for i in range(n):
                put(job, value, i, weight_at(job, value, i) * weight_at(job, weight, i))
        store(job, &job.operands[VALUE], start, n, value)
    elif job.has_value:
        for i in range(n):
            lanes[i % LANES] += weight_at(job, value, i) * weight_at(job, weight, i)


cdef void row_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef double lanes[LANES]
    cdef double label[1]
    cdef double label_weight[1]
    cdef double weight_buffer[LANES]
    cdef double step[1]
    cdef double value[1]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t left, row, size = job.classes * job.real_size
    cdef char* buffers = thread_scratch(job, slot)
    cdef const void* weight = NULL
    cdef const Operand* prediction = &job.operands[PREDICTION]
    cdef const Operand* target = &job.operands[TARGET]
    cdef const Operand* gradient = &job.operands[GRADIENT]
    cdef const Operand* hessian = &job.operands[HESSIAN]
    cdef bint own_gradient = gradient.plain and gradient.class_stride == job.real_size
    cdef bint own_hessian = hessian.plain and hessian.class_stride == job.real_size
    cdef ClassTile tile
    buffers += -<Py_ssize_t>(<size_t>buffers % 64) + 64
    memset(lanes, 0, sizeof(lanes))
    memset(&tile, 0, sizeof(tile))
    tile.classes = job.classes
    tile.label_weight = label_weight
    tile.step = step
    tile.class_weight = job.class_weight
    tile.class_weight_sum = job.class_weight_sum
    tile.smoothing = job.smoothing
    tile.parameters = job.parameters
    tile.value = value
    for row in range(start, stop):
        if job.has_gradient:
            tile.gradient = buffers + size
            if own_gradient:
                tile.gradient = gradient.data + offset_of(job, gradient, row, &left)
        if job.has_hessian:
            tile.hessian = buffers + 2 * size
            if own_hessian:
                tile.hessian = hessian.data + offset_of(job, hessian, row, &left)
        if job.operands[WEIGHT].data != NULL:
            weight = tile_in(job, WEIGHT, row, 1, weight_buffer)
        if job.labels:
            read_labels(job, row, 1, label)
        if job.labels and label[0] < 0:
            # Ignored: not read, and an exact zero.
            put(job, value, 0, 0)
            if job.has_gradient:
                memset(tile.gradient, 0, size)
            if job.has_hessian:
                memset(tile.hessian, 0, size)
        else:
            put(job, step, 0, weight_at(job, weight, 0) * job.scale)
            tile.logits = prediction.data + offset_of(job, prediction, row, &left)
            if job.in_place or not (prediction.plain and prediction.class_stride == job.real_size):
                tile.logits = buffers
                load_classes(job, prediction, row, buffers)
            if job.labels:
                tile.row_label = <Py_ssize_t>label[0]
                put(job, label_weight, 0, class_weight_of(job, label[0]))
                job.row(&tile)
            else:
                tile.probabilities = target.data + offset_of(job, target, row, &left)
                if not (target.plain and target.class_stride == job.real_size):
                    tile.probabilities = buffers + 3 * size
                    load_classes(job, target, row, buffers + 3 * size)
                job.tools.soft_row(&tile)
        if job.has_gradient and not own_gradient:
            store_classes(job, gradient, row, tile.gradient)
        if job.has_hessian and not own_hessian:
            store_classes(job, hessian, row, tile.hessian)
        finish_values(job, row, 1, value, weight, lanes)
    job.totals[chunk] = lane_total(lanes)


cdef void clear_classes(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                        const void* zeros) noexcept nogil:
    cdef Py_ssize_t left, r
    cdef char* data = operand.data + offset_of(job, operand, start, &left)
    if (operand.class_stride == operand.size and left >= n
            and operand.strides[job.ndim - 1] == job.classes * operand.size):
        memset(data, 0, n * job.classes * operand.size)
        return
    for r in range(n):
        store_classes(job, operand, start + r, zeros)


cdef void place(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                const double* label, const void* source, void* zeros) noexcept nogil:
    # Zero everywhere but at the label.
    cdef uint16_t raw[TILE]
    cdef Py_ssize_t left, i
    cdef const char* data
    clear_classes(job, operand, start, n, zeros)
    data = narrow(job, operand, source, n, <char*>raw)
    for i in range(n):
        memcpy(operand.data + offset_of(job, operand, start + i, &left)
               + <Py_ssize_t>label[i] * operand.class_stride, data + i * operand.size, operand.size)


cdef void pick_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef double lanes[LANES]
    cdef double label[TILE]
    cdef double ones[TILE]
    cdef double raw[TILE * WIDEST]
    cdef double prediction[TILE]
    cdef double weight_buffer[TILE]
    cdef double step[TILE]
    cdef double value[TILE]
    cdef double gradient[TILE]
    cdef double hessian[TILE]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t n, i, left
    cdef const void* weight = NULL
    cdef const Operand* operand = &job.operands[PREDICTION]
    cdef char* zeros = thread_scratch(job, slot)
    memset(lanes, 0, sizeof(lanes))
    memset(zeros, 0, job.classes * job.real_size)
    while start < stop:
        n = min(<Py_ssize_t>TILE, stop - start)
        read_labels(job, start, n, label)
        for i in range(n):
            # All labels were classes a moment ago; somebody may have changed one since.
            if label[i] < 0:
                label[i] = 0
            memcpy(<char*>raw + i * operand.size,
                   operand.data + offset_of(job, operand, start + i, &left)
                   + <Py_ssize_t>label[i] * operand.class_stride, operand.size)
        if operand.swapped:
            swap_bytes(<char*>raw, operand.size, n)
        job.tools.load[operand.source](raw, n, prediction)
        if job.operands[WEIGHT].data != NULL:
            weight = tile_in(job, WEIGHT, start, n, weight_buffer)
        for i in range(round_up(n)):
            put(job, ones, i, 1)
            put(job, step, i, weight_at(job, weight, i) * job.scale if i < n else 0)
            if i >= n:
                put(job, prediction, i, 1)
        job.function(prediction, ones, step, NULL, job.parameters, round_up(n), value, gradient,
                     hessian, NULL, NULL, NULL)
        if job.has_gradient:
            place(job, &job.operands[GRADIENT], start, n, label, gradient, zeros)
        if job.has_hessian:
            place(job, &job.operands[HESSIAN], start, n, label, hessian, zeros)
        finish_values(job, start, n, value, weight, lanes)
        start += n
    job.totals[chunk] = lane_total(lanes)
