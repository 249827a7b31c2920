# Where the arrays of a call are, and how tiles of them come in and go out.

cdef enum:
    MAX_DIMS = 64
    # Loaders are found by NumPy's type number; bfloat16, a registered type, gets one beyond them.
    HALF = 23
    BFLOAT16 = 24
    SOURCES = 25
    LABEL = cnp.NPY_INT64       # labels as the driver keeps them
    MAX_VARYING = 2
    WIDEST = 2                  # doubles that hold the widest element, long double
    SHORT_RUN = 64              # bytes

# The tile functions of one level for one type that are not formulas.
cdef struct Tools:
    unary_function load[SOURCES]
    unary_function store_half
    unary_function store_bfloat
    sum_function sum
    sum_weighted_function sum_weighted
    scale_function scale
    unary_function multiply
    outside_function outside
    unary_function label[SOURCES]       # an integer type as int64
    unary_function whole_labels
    check_labels_function check_labels
    look_up_function look_up
    stream_function stream
    transpose_function transpose_in
    transpose_function transpose_out
    class_function soft_block
    class_function soft_row
    capped_function capped_row

# One array, or none. Strides are in bytes and belong to the job's merged shape.
cdef struct Operand:
    char* data                  # NULL: absent
    Py_ssize_t size             # bytes of an element
    int source                  # type number
    bint swapped
    bint plain                  # aligned, native, and of the job's real type
    bint direct                 # plain and one run in the job's order: used where it stands
    Py_ssize_t class_stride
    Py_ssize_t strides[MAX_DIMS]

cdef enum:
    # With a tangent the gradient's place is that of the Hessian's product with it.
    PREDICTION, TARGET, WEIGHT, TANGENT, VALUE, GRADIENT, HESSIAN, VARYING
    OPERANDS = VARYING + MAX_VARYING

# What sets one loss of a sweep apart from the next.
cdef struct ParameterSet:
    elementwise_function value_loop
    elementwise_function derivative_loop
    const double* parameters
    const double* varying

# Everything that the threads of one call read.
cdef struct Job:
    const Tools* tools
    const Tools* double_tools  # for labels, exact as doubles
    const Tools* single_tools  # for outputs that are narrower than what was computed
    Py_ssize_t real_size
    int ndim
    Py_ssize_t shape[MAX_DIMS]
    Py_ssize_t n                # elements, or rows
    Py_ssize_t chunk            # of them in a chunk
    Py_ssize_t chunks
    Operand operands[OPERANDS]
    # Elementwise
    elementwise_function value_loop         # of the value alone; NULL: not wanted, or with the
    elementwise_function derivative_loop    # gradient, or gradient and Hessian; NULL: not wanted
    bint single                 # the latter is all there is: it stores what it has a place for,
                                # and sums nothing
    const double* parameters
    int n_varying
    bint has_value              # wanted as a sum or per element
    bint has_gradient
    bint has_hessian
    bint streaming              # outputs go past the caches
    bint in_place               # an output is the prediction's own memory
    double scale                # 1 / divisor
    const void* constant_step   # a tile of `scale`, for calls without weight
    const void* constant_varying[MAX_VARYING]
    # Sweeps
    const ParameterSet* sets
    Py_ssize_t n_sets
    Py_ssize_t values_size      # bytes from a set's values to the next set's
    # Rows of classes
    class_function block
    class_function row
    class_function soft_row     # the same with probabilities as target
    int relation                # of a sum over classes
    double negative             # the target of what is not the label
    double class_share          # what a sum over classes is multiplied by
    bint offset                 # the label is 0, and the target is taken from the logits
    Py_ssize_t classes
    Py_ssize_t label_stop       # labels are below
    bint labels                 # one integer per row
    bint numbers                # one real number per row; if neither, probabilities
    Py_ssize_t block_stride     # elements from a class of a block to the next
    int64_t ignore_index
    bint has_ignore_index
    double smoothing
    const void* class_weight    # as reals
    const double* class_weight_double
    const double* divisor_weight    # what a label counts in a mean's divisor
    const void* share_weight    # per class, of what smoothing gives to it; as reals
    double share_weight_sum
    double z_loss
    double soft_cap             # 0: none
    char* packed                # rows of triangles; NULL: not wanted
    Py_ssize_t packed_size      # bytes of one
    bint packs                  # its tile function does so by itself
    # Of prediction and target, where they are checked tile by tile: their domains.
    bint limited[2]
    double lower[2]
    double upper[2]
    char* scratch
    Py_ssize_t scratch_size     # per thread
    # Per chunk
    double* totals
    double* weights
    Py_ssize_t* counts
    Py_ssize_t* bad             # how many inputs are out of range


cdef inline Py_ssize_t round_up(Py_ssize_t n) noexcept nogil:
    return (n + (LANES - 1)) & ~<Py_ssize_t>(LANES - 1)


cdef void gather_run(const char* source, Py_ssize_t stride, Py_ssize_t size, Py_ssize_t n,
                     char* target) noexcept nogil:
    # memcpy with a constant size is one load and one store, aligned or not.
    # A short run is not worth the call of a memcpy of any size.
    cdef Py_ssize_t i
    if stride == size and n * size > SHORT_RUN:
        memcpy(target, source, n * size)
    elif size == 1:
        for i in range(n):
            target[i] = source[i * stride]
    elif size == 2:
        for i in range(n):
            memcpy(target + 2 * i, source + i * stride, 2)
    elif size == 4:
        for i in range(n):
            memcpy(target + 4 * i, source + i * stride, 4)
    elif size == 8:
        for i in range(n):
            memcpy(target + 8 * i, source + i * stride, 8)
    else:
        for i in range(n):
            memcpy(target + size * i, source + i * stride, size)


cdef void scatter_run(const char* source, Py_ssize_t stride, Py_ssize_t size, Py_ssize_t n,
                      char* target) noexcept nogil:
    cdef Py_ssize_t i
    if stride == size:
        memcpy(target, source, n * size)
    elif size == 2:
        for i in range(n):
            memcpy(target + i * stride, source + 2 * i, 2)
    elif size == 4:
        for i in range(n):
            memcpy(target + i * stride, source + 4 * i, 4)
    else:
        for i in range(n):
            memcpy(target + i * stride, source + 8 * i, 8)


cdef void swap_bytes(char* data, Py_ssize_t size, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef char byte
    for i in range(n):
        for j in range(size // 2):
            byte = data[i * size + j]
            data[i * size + j] = data[i * size + size - 1 - j]
            data[i * size + size - 1 - j] = byte


cdef Py_ssize_t offset_of(const Job* job, const Operand* operand, Py_ssize_t index,
                          Py_ssize_t* left) noexcept nogil:
    # The byte offset of an element, and how many follow it, itself counted, in the same run.
    cdef Py_ssize_t offset = 0
    cdef Py_ssize_t at
    cdef int axis = job.ndim - 1
    at = index % job.shape[axis]
    left[0] = job.shape[axis] - at
    while True:
        offset += at * operand.strides[axis]
        index //= job.shape[axis]
        axis -= 1
        if axis < 0:
            return offset
        at = index % job.shape[axis]


cdef Py_ssize_t repeat_rows(const char* source, Py_ssize_t stride, Py_ssize_t size, Py_ssize_t left,
                            Py_ssize_t row, Py_ssize_t n, char* target) noexcept nogil:
    # Every element of a column as often as a row is long, the first one `left` times. Returns how many
    # of n are done: none where their size is a rare one.
    cdef Py_ssize_t i, stop, done = 0
    cdef uint32_t four
    cdef uint64_t eight
    if size == 4:
        while done < n:
            memcpy(&four, source, 4)
            stop = min(done + left, n)
            for i in range(done, stop):
                memcpy(target + 4 * i, &four, 4)
            done = stop
            source += stride
            left = row
    elif size == 8:
        while done < n:
            memcpy(&eight, source, 8)
            stop = min(done + left, n)
            for i in range(done, stop):
                memcpy(target + 8 * i, &eight, 8)
            done = stop
            source += stride
            left = row
    return done


cdef void gather(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                 char* target) noexcept nogil:
    # Elements start … start + n - 1 in the job's order, native bytes, side by side.
    cdef Py_ssize_t left, run, done = 0
    cdef Py_ssize_t size = operand.size
    cdef Py_ssize_t stride = operand.strides[job.ndim - 1]
    cdef Py_ssize_t row = job.shape[job.ndim - 1]
    cdef Py_ssize_t offset = offset_of(job, operand, start, &left)
    # From where a row of a matrix begins to where the next one does takes no division.
    cdef Py_ssize_t row_offset = offset - (row - left) * stride
    if stride == 0 and job.ndim <= 2:
        done = repeat_rows(operand.data + offset, operand.strides[0], size, left, row, n, target)
    while done < n:
        run = min(left, n - done)
        gather_run(operand.data + offset, stride, size, run, target + done * size)
        done += run
        if done == n:
            break
        if job.ndim != 2:
            offset = offset_of(job, operand, start + done, &left)
            continue
        row_offset += operand.strides[0]
        offset = row_offset
        if operand.strides[0] == 0 and done > left:
            # Every row is the same: what is there of whole ones is copied, twice as many each time.
            left = done - run
            while done < n:
                run = min(done - left, n - done)
                memcpy(target + done * size, target + left * size, run * size)
                done += run
            break
        left = row
    if operand.swapped:
        swap_bytes(target, size, n)


cdef void load(const Job* job, const Tools* tools, const Operand* operand, Py_ssize_t start,
               Py_ssize_t n, void* target) noexcept nogil:
    # At most a tile of any array as contiguous numbers of the tools' type.
    cdef double raw[TILE * WIDEST]
    cdef Py_ssize_t left
    cdef const char* data = operand.data + offset_of(job, operand, start, &left)
    if (left >= n and operand.strides[job.ndim - 1] == operand.size and not operand.swapped
            and <size_t>data % operand.size == 0):
        tools.load[operand.source](data, n, target)
        return
    gather(job, operand, start, n, <char*>raw)
    tools.load[operand.source](<char*>raw, n, target)


cdef void load_classes(const Job* job, const Operand* operand, Py_ssize_t row,
                       void* target) noexcept nogil:
    # All classes of one row as contiguous reals.
    cdef double raw[TILE * WIDEST]
    cdef Py_ssize_t left, start, n
    cdef const char* data = operand.data + offset_of(job, operand, row, &left)
    if operand.plain:
        gather_run(data, operand.class_stride, operand.size, job.classes, <char*>target)
        return
    start = 0
    while start < job.classes:
        n = min(<Py_ssize_t>TILE, job.classes - start)
        gather_run(data + start * operand.class_stride, operand.class_stride, operand.size, n,
                   <char*>raw)
        if operand.swapped:
            swap_bytes(<char*>raw, operand.size, n)
        job.tools.load[operand.source](<char*>raw, n, <char*>target + start * job.real_size)
        start += n


cdef const char* narrow(const Job* job, const Operand* operand, const void* source, Py_ssize_t n,
                        char* raw) noexcept nogil:
    # Reals as the elements of an output: what is narrower is rounded here, at most a tile of it.
    cdef float single[TILE]
    if operand.size >= job.real_size:
        return <const char*>source
    if job.real_size == sizeof(double):
        job.single_tools.load[<int>cnp.NPY_DOUBLE](source, n, single)
        source = single
    if operand.source == HALF:
        job.single_tools.store_half(source, n, raw)
    elif operand.source == BFLOAT16:
        job.single_tools.store_bfloat(source, n, raw)
    else:
        memcpy(raw, source, n * sizeof(float))
    return raw


cdef void store(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                const void* source) noexcept nogil:
    # At most a tile of reals into any output.
    cdef float raw[TILE]
    cdef Py_ssize_t left, run, offset, done = 0
    cdef char* place = operand.data + offset_of(job, operand, start, &left)
    cdef const char* data
    if (operand.size < job.real_size and left >= n
            and operand.strides[job.ndim - 1] == operand.size
            and <size_t>place % operand.size == 0):
        narrow(job, operand, source, n, place)
        return
    data = narrow(job, operand, source, n, <char*>raw)
    while done < n:
        offset = offset_of(job, operand, start + done, &left)
        run = min(left, n - done)
        scatter_run(data + done * operand.size, operand.strides[job.ndim - 1], operand.size, run,
                    operand.data + offset)
        done += run


cdef void store_classes(const Job* job, const Operand* operand, Py_ssize_t row,
                        const void* source) noexcept nogil:
    cdef float raw[TILE]
    cdef Py_ssize_t left, start, n
    cdef char* data = operand.data + offset_of(job, operand, row, &left)
    cdef const char* narrowed
    start = 0
    while start < job.classes:
        n = min(<Py_ssize_t>TILE, job.classes - start)
        narrowed = narrow(job, operand, <const char*>source + start * job.real_size, n, <char*>raw)
        scatter_run(narrowed, operand.class_stride, operand.size, n,
                    data + start * operand.class_stride)
        start += n
