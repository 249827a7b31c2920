# A loss with many sets of hyper-parameters: a tile is loaded once, and every set has its turn while the
# tile is in the cache. What a set's turn is, `elementwise_tile` says, so the bits are those of a call.

cdef void set_tile(Job* tile, int which, const void* data) noexcept nogil:
    # A loaded tile as an array of its own.
    cdef Operand* operand = &tile.operands[which]
    operand.data = <char*>data
    operand.size = tile.real_size
    operand.source = cnp.NPY_FLOAT if tile.real_size == 4 else cnp.NPY_DOUBLE
    operand.swapped = False
    operand.plain = True
    operand.direct = True
    operand.strides[0] = tile.real_size


cdef void sweep_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef Buffers space
    cdef Buffers* buffers = <Buffers*>((<size_t>&space + 63) & ~<size_t>63)
    cdef double weight_lanes[LANES]
    cdef double ignored[LANES]
    cdef double* lanes = <double*>line_after(thread_scratch(job, slot))
    cdef Job tile = job[0]
    cdef Operand values = job.operands[VALUE]
    cdef const ParameterSet* parameters
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t n, k
    cdef int i
    memset(lanes, 0, job.n_sets * LANES * sizeof(double))
    memset(weight_lanes, 0, sizeof(weight_lanes))
    tile.ndim = 1
    while start < stop:
        n = tile_length(start, stop)
        tile.n = n
        tile.shape[0] = n
        set_tile(&tile, PREDICTION, tile_in(job, PREDICTION, start, n, buffers.prediction))
        set_tile(&tile, TARGET, tile_in(job, TARGET, start, n, buffers.target))
        if job.operands[WEIGHT].data != NULL:
            set_tile(&tile, WEIGHT, tile_in(job, WEIGHT, start, n, buffers.weight))
        if values.data != NULL:
            set_tile(&tile, VALUE, buffers.value)
        for k in range(job.n_sets):
            parameters = &job.sets[k]
            tile.value_loop = parameters.value_loop
            tile.derivative_loop = parameters.derivative_loop
            tile.parameters = parameters.parameters
            for i in range(job.n_varying):
                fill(buffers.varying[i], parameters.varying[i], round_up(n), job.real_size == 8)
                tile.constant_varying[i] = buffers.varying[i]
            # The weights are the same for all: they are summed once.
            elementwise_tile(&tile, 0, n, lanes + k * LANES, &ignored[0] if k else &weight_lanes[0])
            if values.data != NULL:
                values.data = job.operands[VALUE].data + k * job.values_size
                store(job, &values, start, n, buffers.value)
        start += n
    for k in range(job.n_sets):
        job.totals[k * job.chunks + chunk] = lane_total(lanes + k * LANES)
    job.weights[chunk] = lane_total(weight_lanes)


def sweep(list losses, prediction_, target_, weight, n_threads):
    """Return the values of losses that differ in hyper-parameters alone.

    None where only separate calls can: for rows of classes, for hyper-parameters that are arrays, for
    losses that are functions in Python, and for reductions that differ.
    """
    cdef Loss first = losses[0], loss
    cdef cnp.ndarray prediction = as_array("prediction", prediction_)
    cdef cnp.ndarray target = as_array("target", target_)
    cdef int asked = 0 if n_threads is None else check_threads(n_threads)
    cdef int reduction = first.reduction_
    cdef Py_ssize_t k, n_sets = len(losses)
    cdef int threads, real
    cdef bint by_class = False
    cdef double divisor
    cdef list arrays = [None] * OPERANDS
    cdef object values = None
    cdef Job job
    cdef ParameterSet* sets
    for loss in losses:
        if (not loss.elementwise or loss.relation != NO_RELATION or loss.predictions
                or loss.n_varying != first.n_varying or loss.single != first.single
                or loss.wide != first.wide
                or loss.function is not None or loss.reduction_ != first.reduction_
                or any(array is not None for array in loss.varying_arrays)):
            return None
    if first.classes and shape_of(target) != shape_of(prediction):
        return None
    memset(&job, 0, sizeof(job))
    if reduction == NONE:
        values = np.empty((n_sets, *shape_of(prediction)), result_dtype(prediction))
        job.values_size = values.nbytes // n_sets
        first.general(&job, MODE_VALUE, prediction, target, weight, None, NONE, values[0, ...],
                      &by_class, arrays)
    else:
        first.general(&job, MODE_VALUE, prediction, target, weight, None, SUM, None, &by_class, arrays)
    try:
        for loss in {loss.intervals: loss for loss in losses}.values():
            loss.check_interval(PREDICTION, prediction, job.real_size == 8, asked)
            loss.check_interval(TARGET, target, job.real_size == 8, asked)
    except OutOfRange:
        # A call of its own says what is wrong.
        return None
    real = 0 if job.real_size == 4 else 1
    job.tools = &first.level.tools[real]
    job.single_tools = &first.level.tools[0]
    job.has_value = True
    job.scale = 1
    job.n_varying = first.n_varying
    job.n_sets = n_sets
    job.chunk = ELEMENTWISE_CHUNK
    job.chunks = (job.n + (ELEMENTWISE_CHUNK - 1)) // ELEMENTWISE_CHUNK
    job.scratch_size = n_sets * LANES * sizeof(double) + 2 * 64
    threads = <int>min(<Py_ssize_t>thread_limit(asked), max(job.chunks, <Py_ssize_t>1))
    sets = <ParameterSet*>PyMem_Malloc(n_sets * sizeof(ParameterSet))
    job.scratch = <char*>PyMem_Malloc(job.scratch_size * threads)
    job.totals = <double*>PyMem_Malloc((n_sets + 1) * max(job.chunks, <Py_ssize_t>1) * sizeof(double))
    try:
        if sets == NULL or job.scratch == NULL or job.totals == NULL:
            raise MemoryError()
        job.weights = job.totals + n_sets * job.chunks
        for k in range(n_sets):
            loss = losses[k]
            loss.choose_loops(&job, real, MODE_VALUE)
            sets[k].value_loop = job.value_loop
            sets[k].derivative_loop = job.derivative_loop
            sets[k].parameters = loss.parameters[real]
            sets[k].varying = loss.varying
        job.sets = sets
        first.launch_timed(&job, sweep_chunk, real, MODE_VALUE, job.n * n_sets, asked, threads)
        if reduction == NONE:
            return values
        values = [tree_sum(job.totals + k * job.chunks, job.chunks) for k in range(n_sets)]
        if reduction == MEAN:
            divisor = job.n
            if job.operands[WEIGHT].data != NULL:
                divisor = tree_sum(job.weights, job.chunks)
            empty = 0.0 if first.empty_is_zero and job.n == 0 else NAN
            values = [total / divisor if divisor != 0 else empty for total in values]
        return np.array(values)
    finally:
        PyMem_Free(sets)
        PyMem_Free(job.scratch)
        PyMem_Free(job.totals)
