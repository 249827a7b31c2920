# Losses of one number against one number, tile by tile.

cdef enum:
    ELEMENTWISE_CHUNK = 8192


cdef inline const void* tile_in(const Job* job, int which, Py_ssize_t start, Py_ssize_t n,
                                void* buffer) noexcept nogil:
    # A tile where it stands if it can be used there, else loaded; padded to a multiple of LANES.
    cdef const Operand* operand = &job.operands[which]
    if operand.direct and n % LANES == 0:
        return operand.data + start * job.real_size
    load(job, job.tools, operand, start, n, buffer)
    memset(<char*>buffer + n * job.real_size, 0, (round_up(n) - n) * job.real_size)
    return buffer


cdef inline void* tile_out(const Job* job, int which, Py_ssize_t start, Py_ssize_t n,
                           void* buffer) noexcept nogil:
    cdef const Operand* operand = &job.operands[which]
    if operand.direct and n % LANES == 0:
        return operand.data + start * job.real_size
    return buffer


cdef void elementwise_tile(const Job* job, Py_ssize_t start, Py_ssize_t n, double* lanes,
                           double* weight_lanes) noexcept nogil:
    cdef double prediction_buffer[TILE]
    cdef double target_buffer[TILE]
    cdef double weight_buffer[TILE]
    cdef double step_buffer[TILE]
    cdef double value_buffer[TILE]
    cdef double gradient_buffer[TILE]
    cdef double hessian_buffer[TILE]
    cdef double varying_buffer[MAX_VARYING][TILE]
    cdef const void* varying[MAX_VARYING]
    cdef const void* prediction
    cdef const void* target
    cdef const void* weight = NULL
    cdef const void* step = job.constant_step
    cdef void* value = value_buffer
    cdef void* gradient = NULL
    cdef void* hessian = NULL
    cdef Py_ssize_t padded = round_up(n)
    cdef bint per_element = job.operands[VALUE].data != NULL
    cdef int i
    prediction = tile_in(job, PREDICTION, start, n, prediction_buffer)
    target = tile_in(job, TARGET, start, n, target_buffer)
    if job.operands[WEIGHT].data != NULL:
        weight = tile_in(job, WEIGHT, start, n, weight_buffer)
        step = weight
        if job.scale != 1 and job.has_gradient:
            job.tools.scale(weight, job.scale, padded, step_buffer)
            step = step_buffer
    for i in range(job.n_varying):
        varying[i] = job.constant_varying[i]
        if job.operands[VARYING + i].data != NULL:
            varying[i] = tile_in(job, VARYING + i, start, n, varying_buffer[i])
    if per_element:
        value = tile_out(job, VALUE, start, n, value_buffer)
    if job.has_gradient:
        gradient = tile_out(job, GRADIENT, start, n, gradient_buffer)
    if job.has_hessian:
        hessian = tile_out(job, HESSIAN, start, n, hessian_buffer)
    job.function(prediction, target, step, varying, job.parameters, padded, value, gradient, hessian)
    if per_element:
        if weight != NULL:
            job.tools.multiply(weight, padded, value)
        if value == <void*>value_buffer:
            store(job, &job.operands[VALUE], start, n, value)
    elif job.has_value:
        # The padding's loss is not part of the sum.
        memset(<char*>value + n * job.real_size, 0, (padded - n) * job.real_size)
        if weight == NULL:
            job.tools.sum(value, padded, lanes)
        else:
            job.tools.sum_weighted(value, weight, padded, lanes)
            job.tools.sum(weight, padded, weight_lanes)
    if gradient == <void*>gradient_buffer:
        store(job, &job.operands[GRADIENT], start, n, gradient)
    if hessian == <void*>hessian_buffer and hessian != NULL:
        store(job, &job.operands[HESSIAN], start, n, hessian)


cdef void elementwise_range(const Job* job, Py_ssize_t start, Py_ssize_t stop, double* total,
                            double* weight) noexcept nogil:
    cdef double lanes[LANES]
    cdef double weight_lanes[LANES]
    cdef Py_ssize_t n
    memset(lanes, 0, sizeof(lanes))
    memset(weight_lanes, 0, sizeof(weight_lanes))
    while start < stop:
        n = min(<Py_ssize_t>TILE, stop - start)
        if n > LANES:
            # What is left over beyond a multiple of LANES goes through buffers, as a tile.
            n &= ~<Py_ssize_t>(LANES - 1)
        elementwise_tile(job, start, n, lanes, weight_lanes)
        start += n
    total[0] = lane_total(lanes)
    weight[0] = lane_total(weight_lanes)


cdef void elementwise_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef Py_ssize_t start = chunk * job.chunk
    elementwise_range(job, start, min(start + job.chunk, job.n), &job.totals[chunk],
                      &job.weights[chunk])


cdef void weight_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    # The sum of the weights alone, which a mean's gradient needs before the first of it is written.
    cdef double buffer[TILE]
    cdef double lanes[LANES]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t n
    memset(lanes, 0, sizeof(lanes))
    while start < stop:
        n = min(<Py_ssize_t>TILE, stop - start)
        if n > LANES:
            n &= ~<Py_ssize_t>(LANES - 1)
        job.tools.sum(tile_in(job, WEIGHT, start, n, buffer), round_up(n), lanes)
        start += n
    job.weights[chunk] = lane_total(lanes)


cdef void outside_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    # Counts what lies outside the domain of a loss on probabilities.
    cdef double buffer[TILE]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t n
    job.bad[chunk] = 0
    while start < stop:
        n = min(<Py_ssize_t>TILE, stop - start)
        job.bad[chunk] += job.tools.outside(
            tile_in(job, PREDICTION, start, n, buffer), n, job.lower, job.upper)
        start += n
