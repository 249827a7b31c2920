# Losses of a row of classes. Three ways through a chunk of rows, chosen by shape and layout alone:
#
#   block   few classes, or the classes not last in memory: rows side by side, class by class
#   row     many classes that lie side by side: along the row
#   pick    a loss of the target's class alone, on probabilities: an elementwise tile of them
#
# Several predictions for one number take the first way, as classes.

cdef extern from "data_movement.h" nogil:
    void fetch_ahead(const void* source, size_t bytes_)

cdef enum:
    # Elements, not rows, of a chunk.
    CLASS_CHUNK = 16384
    # Bytes of a block's logits, which exponentials and gradient replace: with what else is read and
    # written they stay in the first cache. Where all rows of one class lie together, each class is a
    # place of its own in memory, and arriving there costs more than reading 2 KiB: runs of several
    # are worth the second cache.
    BLOCK_BYTES = 8192
    RUNS_BYTES = 262144
    RUN_ROWS = 2048
    # A block has its labels as reals, and float is exact so far.
    EXACT_LABELS = 16777216


cdef inline bint rows_are_nearer(const Job* job, const Operand* operand) noexcept nogil:
    # Is the next row nearer than the next class?
    cdef Py_ssize_t stride = operand.strides[job.ndim - 1]
    return (stride if stride >= 0 else -stride) < (
        operand.class_stride if operand.class_stride >= 0 else -operand.class_stride)


cdef bint in_blocks(const Job* job) noexcept nogil:
    # Rows side by side? Not for a few rows of many classes, where most of a block would be padding.
    if job.classes <= FEW_CLASSES and (job.n >= LANES // 2 or job.classes <= LANES):
        return True
    return (rows_are_nearer(job, &job.operands[PREDICTION])
            and job.shape[job.ndim - 1] >= LANES and job.classes <= EXACT_LABELS)


cdef Py_ssize_t block_rows(const Job* job) noexcept nogil:
    cdef bint runs = rows_are_nearer(job, &job.operands[PREDICTION])
    cdef Py_ssize_t rows = (RUNS_BYTES if runs else BLOCK_BYTES) // (job.classes * job.real_size)
    rows -= rows % LANES
    return min(max(rows, <Py_ssize_t>LANES), <Py_ssize_t>(RUN_ROWS if runs else TILE))


cdef Py_ssize_t rows_per_chunk(const Job* job) noexcept nogil:
    # Whole blocks; else at most a tile of rows.
    cdef Py_ssize_t rows = max(CLASS_CHUNK // job.classes, <Py_ssize_t>1)
    cdef Py_ssize_t block = block_rows(job)
    if job.block == NULL or not in_blocks(job):
        return min(rows, <Py_ssize_t>TILE)
    return max(rows - rows % block, block)


cdef inline bint has_probabilities(const Job* job) noexcept nogil:
    return not job.labels and not job.numbers


cdef Py_ssize_t read_labels(const Job* job, Py_ssize_t start, Py_ssize_t n, int64_t* label,
                            Py_ssize_t* bad) noexcept nogil:
    # At most a tile of labels; -1 where the row is ignored or the label is not a class. Returns how
    # many are kept, and adds to `bad` how many are neither. They are copied before they are checked:
    # the array may change meanwhile.
    cdef double raw[TILE * WIDEST]
    cdef double numbers[TILE]
    cdef const Operand* operand = &job.operands[TARGET]
    cdef const void* source = raw
    cdef unary_function convert = job.tools.label[operand.source]
    gather(job, operand, start, n, <char*>raw)
    if convert == NULL:
        job.double_tools.load[operand.source](source, n, numbers)
        job.tools.whole_labels(numbers, n, raw)
    elif operand.size != sizeof(int64_t):
        convert(source, n, numbers)
        source = numbers
    return job.tools.check_labels(source, n, job.label_stop, job.ignore_index, job.has_ignore_index,
                                  label, bad)


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
    cdef int64_t label[TILE]
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
        kept += read_labels(job, start, n, label, &job.bad[chunk]) if job.labels else n
        if job.operands[WEIGHT].data != NULL:
            weight = tile_in(job, WEIGHT, start, n, buffer)
        if weight != NULL or (job.labels and job.divisor_weight != NULL):
            for i in range(n):
                w = weight_at(job, weight, i)
                if job.labels:
                    w = w * weight_of(job.divisor_weight, label[i]) if label[i] >= 0 else 0
                total += w
        start += n
    job.counts[chunk] = kept
    job.weights[chunk] = total if weight != NULL or (
        job.labels and job.divisor_weight != NULL) else kept


cdef inline char* thread_scratch(const Job* job, int slot) noexcept nogil:
    return job.scratch + slot * job.scratch_size


cdef inline char* line_after(char* address) noexcept nogil:
    return address - <Py_ssize_t>(<size_t>address % 64) + 64


cdef inline double weight_of(const double* weights, int64_t label) noexcept nogil:
    return 1 if weights == NULL else weights[label]


cdef inline double class_weight_of(const Job* job, int64_t label) noexcept nogil:
    return weight_of(job.class_weight_double, label)


cdef inline bint rows_of_classes(const Job* job, const Operand* operand,
                                 Py_ssize_t n, Py_ssize_t left) noexcept nogil:
    # n rows after each other, each with its classes side by side?
    return (operand.plain and operand.class_stride == operand.size and left >= n
            and operand.strides[job.ndim - 1] == job.classes * operand.size)


cdef void block_in(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                   void* row_buffer, char* block) noexcept nogil:
    # n rows, side by side for each class.
    cdef Py_ssize_t left, r, k, done
    cdef const char* data = operand.data + offset_of(job, operand, start, &left)
    cdef Operand of_class
    if rows_of_classes(job, operand, n, left):
        job.tools.transpose_in(data, n, job.classes, job.block_stride, block)
    elif rows_are_nearer(job, operand):
        of_class = operand[0]
        for k in range(job.classes):
            data += operand.class_stride
            if operand.plain:
                fetch_ahead(data, n * operand.size)
                gather(job, &of_class, start, n, block)
            else:
                for done in range(0, n, 512):
                    load(job, job.tools, &of_class, start + done,
                         min(n - done, <Py_ssize_t>TILE), block + done * job.real_size)
            of_class.data += operand.class_stride
            block += job.block_stride * job.real_size
    else:
        for r in range(n):
            load_classes(job, operand, start + r, row_buffer)
            job.tools.transpose_in(row_buffer, 1, job.classes, job.block_stride,
                                   block + r * job.real_size)


cdef void block_out(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                    void* row_buffer, const char* block) noexcept nogil:
    cdef Py_ssize_t left, r, k, done
    cdef Py_ssize_t size = n * job.classes * job.real_size
    cdef char* data = operand.data + offset_of(job, operand, start, &left)
    cdef Operand of_class
    if rows_of_classes(job, operand, n, left):
        if job.streaming:
            job.tools.transpose_out(block, n, job.classes, job.block_stride, row_buffer)
            job.tools.stream(data, row_buffer, size)
        else:
            job.tools.transpose_out(block, n, job.classes, job.block_stride, data)
    elif rows_are_nearer(job, operand):
        of_class = operand[0]
        for k in range(job.classes):
            if job.streaming and operand.plain and left >= n and (
                    operand.strides[job.ndim - 1] == operand.size):
                job.tools.stream(data, block, n * operand.size)
                data += operand.class_stride
            else:
                for done in range(0, n, 512):
                    store(job, &of_class, start + done, min(n - done, <Py_ssize_t>TILE),
                          block + done * job.real_size)
                of_class.data += operand.class_stride
            block += job.block_stride * job.real_size
    else:
        for r in range(n):
            job.tools.transpose_out(block + r * job.real_size, 1, job.classes, job.block_stride,
                                    row_buffer)
            store_classes(job, operand, start + r, row_buffer)


cdef void block_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef int64_t labels[TILE]
    cdef double label_tile[TILE]
    cdef double label_weight[TILE]
    cdef double weight_buffer[TILE]
    cdef double step[TILE]
    cdef double value[TILE]
    cdef double lanes[LANES]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t rows = block_rows(job)
    cdef Py_ssize_t n, first, tile_rows, at, i, left, bad = 0
    cdef const Operand* prediction = &job.operands[PREDICTION]
    cdef bint nearer = rows_are_nearer(job, prediction)
    cdef Py_ssize_t block_size = job.classes * job.block_stride * job.real_size
    cdef char* logits = line_after(thread_scratch(job, slot))
    cdef char* hessian = logits + block_size
    cdef bint has_tangent = job.operands[TANGENT].data != NULL
    cdef char* tangent = hessian + block_size * job.has_hessian
    cdef char* probabilities = tangent + block_size * has_tangent
    cdef char* buffer = probabilities + block_size * has_probabilities(job)
    cdef const void* weight = NULL
    cdef ClassTile tile
    memset(lanes, 0, sizeof(lanes))
    memset(&tile, 0, sizeof(tile))
    tile.classes = job.classes
    tile.stride = job.block_stride
    tile.next_row = prediction.strides[job.ndim - 1]
    tile.next_class = LANES * job.real_size
    tile.label = label_tile
    tile.label_weight = label_weight
    tile.step = step
    tile.class_weight = job.class_weight
    tile.share_weight = job.share_weight
    tile.share_weight_sum = job.share_weight_sum
    tile.smoothing = job.smoothing
    tile.z_loss = job.z_loss
    tile.parameters = job.parameters
    tile.value = value
    for i in range(TILE):
        # Without weights these are the same for all blocks.
        put(job, label_weight, i, 1)
        put(job, step, i, job.scale)
    while start < stop:
        n = min(rows, stop - start)
        block_in(job, prediction, start, n, buffer, logits)
        if has_probabilities(job):
            block_in(job, &job.operands[TARGET], start, n, buffer, probabilities)
        if has_tangent:
            block_in(job, &job.operands[TANGENT], start, n, buffer, tangent)
        if prediction.plain and not nearer:
            tile.next_logits = prediction.data + offset_of(job, prediction, start, &left) + (
                n * tile.next_row)
        for first in range(0, n, 512):
            tile_rows = min(n - first, <Py_ssize_t>TILE)
            at = first * job.real_size
            tile.rows = round_up(tile_rows)
            tile.logits = logits + at
            tile.gradient = tile.logits if job.has_gradient else NULL
            tile.hessian = hessian + at if job.has_hessian else NULL
            tile.tangent = tangent + at if has_tangent else NULL
            tile.probabilities = probabilities + at
            if job.operands[WEIGHT].data != NULL:
                weight = tile_in(job, WEIGHT, start + first, tile_rows, weight_buffer)
                job.tools.scale(weight, job.scale, tile.rows, step)
            if job.labels:
                tile.ignored = tile_rows - read_labels(job, start + first, tile_rows, labels, &bad)
                for i in range(tile_rows, tile.rows):
                    labels[i] = -1
                job.tools.load[LABEL](labels, tile.rows, label_tile)
                if job.class_weight != NULL:
                    job.tools.look_up(labels, job.class_weight, tile.rows, label_weight)
                job.block(&tile)
            elif job.numbers:
                tile.label = tile_in(job, TARGET, start + first, tile_rows, label_tile)
                job.block(&tile)
            else:
                job.tools.soft_block(&tile)
            finish_values(job, start + first, tile_rows, value, weight, lanes)
        if job.has_gradient:
            block_out(job, &job.operands[GRADIENT], start, n, buffer, logits)
        if job.has_hessian:
            block_out(job, &job.operands[HESSIAN], start, n, buffer, hessian)
        start += n
    stream_fence()
    job.totals[chunk] = lane_total(lanes)


cdef void finish_values(const Job* job, Py_ssize_t start, Py_ssize_t n, void* value,
                        const void* weight, double* lanes) noexcept nogil:
    # The values of at most a tile of rows, padded to LANES: stored one by one, or summed.
    cdef Py_ssize_t padded = round_up(n)
    if job.operands[VALUE].data != NULL:
        if weight != NULL:
            job.tools.multiply(weight, padded, value)
        store(job, &job.operands[VALUE], start, n, value)
    elif job.has_value:
        memset(<char*>value + n * job.real_size, 0, (padded - n) * job.real_size)
        if weight == NULL:
            job.tools.sum(value, padded, lanes)
        else:
            job.tools.sum_weighted(value, weight, padded, lanes)


cdef void pack_products(const Job* job, const ClassTile* tile, class_function row, void* unit,
                        void* product) noexcept nogil:
    # A row's Hessian, from its products with unit vectors.
    cdef ClassTile inner = tile[0]
    cdef Py_ssize_t size = job.real_size
    cdef Py_ssize_t i, k
    memset(unit, 0, job.classes * size)
    inner.tangent = unit
    inner.gradient = product
    for k in range(job.classes):
        put(job, unit, k, 1)
        row(&inner)
        put(job, unit, k, 0)
        for i in range(k, job.classes):
            memcpy(<char*>tile.packed + (i * (i + 1) // 2 + k) * size, <char*>product + i * size, size)


cdef inline void run_row(const Job* job, const ClassTile* tile, class_function row, void* spare,
                         void* other) noexcept nogil:
    if tile.packed != NULL and not job.packs:
        # Before the gradient, which may take the logits' place.
        pack_products(job, tile, row, spare, other)
    if job.soft_cap == 0:
        row(tile)
    else:
        job.tools.capped_row(tile, row, job.soft_cap)


cdef void row_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef double lanes[LANES]
    cdef int64_t label[TILE]
    cdef double label_weight[1]
    cdef double weight_buffer[TILE]
    cdef double step[1]
    cdef double value[TILE]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t left, row, bad = 0
    cdef Py_ssize_t size = job.classes * job.real_size
    cdef char* exponentials = line_after(thread_scratch(job, slot))
    cdef char* logits = line_after(exponentials + size)
    cdef char* hessian_row = line_after(logits + size)
    cdef char* probabilities = line_after(hessian_row + size)
    cdef char* tangent_row = line_after(probabilities + size)
    cdef char* formula_scratch = line_after(tangent_row + size)
    cdef const void* weight = NULL
    cdef const Operand* prediction = &job.operands[PREDICTION]
    cdef const Operand* target = &job.operands[TARGET]
    cdef const Operand* tangent = &job.operands[TANGENT]
    cdef const Operand* gradient = &job.operands[GRADIENT]
    cdef const Operand* hessian = &job.operands[HESSIAN]
    cdef bint own_prediction = prediction.plain and prediction.class_stride == job.real_size
    cdef bint own_target = target.plain and target.class_stride == job.real_size
    cdef bint own_tangent = tangent.plain and tangent.class_stride == job.real_size
    cdef bint own_gradient = gradient.plain and gradient.class_stride == job.real_size
    cdef bint own_hessian = hessian.plain and hessian.class_stride == job.real_size
    cdef ClassTile tile
    memset(lanes, 0, sizeof(lanes))
    memset(&tile, 0, sizeof(tile))
    tile.classes = job.classes
    tile.exponentials = exponentials if job.has_gradient or job.block == NULL else NULL
    tile.scratch = formula_scratch
    tile.label_weight = label_weight
    tile.step = step
    tile.class_weight = job.class_weight
    tile.share_weight = job.share_weight
    tile.share_weight_sum = job.share_weight_sum
    tile.smoothing = job.smoothing
    tile.z_loss = job.z_loss
    tile.parameters = job.parameters
    tile.stream = job.streaming and own_gradient and (own_hessian or not job.has_hessian) and (
        job.soft_cap == 0)
    put(job, label_weight, 0, 1)
    if job.labels:
        read_labels(job, start, stop - start, label, &bad)
    if job.operands[WEIGHT].data != NULL:
        weight = tile_in(job, WEIGHT, start, stop - start, weight_buffer)
    for row in range(stop - start):
        tile.value = <char*>value + row * job.real_size
        if job.has_gradient:
            tile.gradient = logits
            if own_gradient:
                tile.gradient = gradient.data + offset_of(job, gradient, start + row, &left)
        if job.has_hessian:
            tile.hessian = hessian_row
            if own_hessian:
                tile.hessian = hessian.data + offset_of(job, hessian, start + row, &left)
        if job.labels and label[row] < 0:
            # Ignored: not read, and an exact zero.
            put(job, value, row, 0)
            if job.has_gradient:
                memset(tile.gradient, 0, size)
            if job.has_hessian:
                memset(tile.hessian, 0, size)
            if job.packed != NULL:
                memset(job.packed + (start + row) * job.packed_size, 0, job.packed_size)
        else:
            put(job, step, 0, weight_at(job, weight, row) * job.scale)
            tile.logits = logits
            tile.next_logits = NULL
            if own_prediction:
                tile.logits = prediction.data + offset_of(job, prediction, start + row, &left)
                tile.next_logits = <const char*>tile.logits + prediction.strides[job.ndim - 1]
            else:
                load_classes(job, prediction, start + row, logits)
            if tangent.data != NULL:
                tile.tangent = tangent.data + offset_of(job, tangent, start + row, &left)
                if not own_tangent:
                    tile.tangent = tangent_row
                    load_classes(job, tangent, start + row, tangent_row)
            if job.packed != NULL:
                tile.packed = job.packed + (start + row) * job.packed_size
            if job.labels:
                tile.row_label = label[row]
                put(job, label_weight, 0, class_weight_of(job, label[row]))
                run_row(job, &tile, job.row, tangent_row, hessian_row)
            elif job.offset:
                if own_prediction:
                    load_classes(job, prediction, start + row, logits)
                load_classes(job, target, start + row, probabilities)
                less_offset(job, logits, probabilities, 0)
                tile.logits = logits
                run_row(job, &tile, job.row, tangent_row, hessian_row)
            else:
                tile.probabilities = target.data + offset_of(job, target, start + row, &left)
                if not own_target:
                    tile.probabilities = probabilities
                    load_classes(job, target, start + row, probabilities)
                run_row(job, &tile, job.soft_row, tangent_row, hessian_row)
        if job.has_gradient and not own_gradient:
            store_classes(job, gradient, start + row, tile.gradient)
        if job.has_hessian and not own_hessian:
            store_classes(job, hessian, start + row, tile.hessian)
    finish_values(job, start, stop - start, value, weight, lanes)
    stream_fence()
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
                const int64_t* label, const void* source, void* zeros) noexcept nogil:
    # Zero everywhere but at the label.
    cdef float raw[TILE]
    cdef Py_ssize_t left, i
    cdef const char* data
    clear_classes(job, operand, start, n, zeros)
    data = narrow(job, operand, source, n, <char*>raw)
    for i in range(n):
        memcpy(operand.data + offset_of(job, operand, start + i, &left)
               + label[i] * operand.class_stride, data + i * operand.size, operand.size)


cdef void pick(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
               const int64_t* label, void* tile) noexcept nogil:
    # What stands at the labels.
    cdef double raw[TILE * WIDEST]
    cdef Py_ssize_t left, i
    for i in range(n):
        memcpy(<char*>raw + i * operand.size,
               operand.data + offset_of(job, operand, start + i, &left)
               + label[i] * operand.class_stride, operand.size)
    if operand.swapped:
        swap_bytes(<char*>raw, operand.size, n)
    job.tools.load[operand.source](raw, n, tile)


cdef void pick_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef double lanes[LANES]
    cdef double ignored[LANES]
    cdef int64_t label[TILE]
    cdef double ones[TILE]
    cdef double factor[TILE]
    cdef double prediction[TILE]
    cdef double weight_buffer[TILE]
    cdef double step[TILE]
    cdef double value[TILE]
    cdef double gradient[TILE]
    cdef double hessian[TILE]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t n, i, bad = 0
    cdef const void* weight = NULL
    cdef char* zeros = thread_scratch(job, slot)
    memset(lanes, 0, sizeof(lanes))
    memset(ignored, 0, sizeof(ignored))
    memset(zeros, 0, job.classes * job.real_size)
    while start < stop:
        n = min(<Py_ssize_t>TILE, stop - start)
        read_labels(job, start, n, label, &bad)
        for i in range(n):
            # Ignored; or one that was a class a moment ago.
            factor[i] = class_weight_of(job, label[i]) if label[i] >= 0 else 0
            if label[i] < 0:
                label[i] = 0
        pick(job, &job.operands[PREDICTION], start, n, label, prediction)
        if job.operands[WEIGHT].data != NULL:
            weight = tile_in(job, WEIGHT, start, n, weight_buffer)
        for i in range(round_up(n)):
            put(job, ones, i, 1)
            put(job, step, i, factor[i] * weight_at(job, weight, i) * job.scale if i < n else 0)
            if i >= n or factor[i] == 0:
                put(job, prediction, i, 1)
        run_formula(job, prediction, ones, step, NULL, round_up(n), value, gradient, hessian, ignored,
                    NULL, NULL)
        for i in range(n if job.has_value else 0):
            if factor[i] != 1:
                put(job, value, i, factor[i] * weight_at(job, value, i) if factor[i] != 0 else 0)
        if job.operands[TANGENT].data != NULL:
            pick(job, &job.operands[TANGENT], start, n, label, gradient)
            job.tools.multiply(hessian, round_up(n), gradient)
        if job.has_gradient:
            place(job, &job.operands[GRADIENT], start, n, label, gradient, zeros)
        if job.has_hessian:
            place(job, &job.operands[HESSIAN], start, n, label, hessian, zeros)
        finish_values(job, start, n, value, weight, lanes)
        start += n
    job.totals[chunk] = lane_total(lanes)
