# Losses of one number against one number, tile by tile.

cdef enum:
    ELEMENTWISE_CHUNK = 8192
    # A tile and five lines. Were one buffer 4096 bytes from the next, the processor would take a load
    # from one for a load of what was just stored to the other, and wait.
    BUFFER = TILE + 40

cdef struct Buffers:
    double prediction[BUFFER]
    double target[BUFFER]
    double weight[BUFFER]
    double step[BUFFER]
    double value[BUFFER]
    double gradient[BUFFER]
    double hessian[BUFFER]
    double varying[MAX_VARYING][BUFFER]
    double slack[8]             # the buffers begin at a line of the cache

cdef Py_ssize_t stream_from = stream_threshold()


def set_stream_from(Py_ssize_t size) -> int:
    """Stream outputs of at least so many bytes, and return what it was. For tests."""
    global stream_from
    before = stream_from
    stream_from = size
    return before


cdef bint streams(const Job* job) noexcept nogil:
    # A gradient that takes the prediction's place is in the cache already.
    return (FASTLOSS_STREAMS and not job.in_place
            and job.n * job.classes * job.real_size * (job.has_gradient + job.has_hessian) >= stream_from)


cdef inline Py_ssize_t tile_length(Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t n = min(<Py_ssize_t>TILE, stop - start)
    # What is left over beyond a multiple of LANES goes through buffers, as a tile.
    return n & ~<Py_ssize_t>(LANES - 1) if n > LANES else n


cdef inline const void* tile_in(const Job* job, int which, Py_ssize_t start, Py_ssize_t n,
                                void* buffer) noexcept nogil:
    # A tile where it stands if it can be used there, else loaded; padded to a multiple of LANES.
    cdef const Operand* operand = &job.operands[which]
    if operand.direct and n % LANES == 0:
        return operand.data + start * job.real_size
    if operand.direct:
        memcpy(buffer, operand.data + start * job.real_size, n * job.real_size)
    else:
        load(job, job.tools, operand, start, n, buffer)
    memset(<char*>buffer + n * job.real_size, 0, (round_up(n) - n) * job.real_size)
    return buffer


cdef inline void* tile_out(const Job* job, int which, Py_ssize_t start, Py_ssize_t n,
                           void* buffer, void** home) noexcept nogil:
    # Where a tile function writes, and where it streams what it has written, if it does.
    cdef const Operand* operand = &job.operands[which]
    cdef char* place = operand.data + start * job.real_size
    if not operand.direct or n % LANES != 0:
        return buffer
    if home != NULL and job.streaming and <size_t>place % 16 == 0:
        home[0] = place
        return buffer
    return place


cdef inline void put_tile(const Job* job, int which, Py_ssize_t start, Py_ssize_t n,
                          const void* tile, const void* buffer, const void* home) noexcept nogil:
    cdef const Operand* operand = &job.operands[which]
    if tile != buffer or home != NULL:
        return
    if operand.direct:
        memcpy(operand.data + start * job.real_size, tile, n * job.real_size)
    else:
        store(job, operand, start, n, tile)


cdef inline void run_formula(const Job* job, const void* prediction, const void* target,
                             const void* step, const void* const* varying, Py_ssize_t n, void* value,
                             void* gradient, void* hessian, double* lanes, void* gradient_home,
                             void* hessian_home) noexcept nogil:
    # Of the outputs only those are touched that the job's loops have.
    if job.single:
        job.derivative_loop(prediction, target, step, varying, job.parameters, n,
                            value if job.has_value else NULL, gradient if job.has_gradient else NULL,
                            hessian if job.has_hessian or job.operands[TANGENT].data != NULL else NULL,
                            lanes, NULL, NULL)
        return
    if job.value_loop != NULL:
        job.value_loop(prediction, target, step, varying, job.parameters, n, value, NULL, NULL, lanes,
                       NULL, NULL)
    if job.derivative_loop != NULL:
        job.derivative_loop(prediction, target, step, varying, job.parameters, n, value, gradient,
                            hessian, lanes, gradient_home, hessian_home)


cdef Py_ssize_t elementwise_tile(const Job* job, Py_ssize_t start, Py_ssize_t n, double* lanes,
                                 double* weight_lanes) noexcept nogil:
    # Returns how many inputs lie outside of the loss's domains.
    cdef Buffers space
    cdef Buffers* buffers = <Buffers*>((<size_t>&space + 63) & ~<size_t>63)
    cdef double ignored[LANES]
    cdef const void* varying[MAX_VARYING]
    cdef const void* prediction
    cdef const void* target
    cdef const void* weight = NULL
    cdef const void* step = job.constant_step
    cdef void* value = buffers.value
    cdef void* gradient = NULL
    cdef void* hessian = buffers.hessian
    cdef void* gradient_home = NULL
    cdef void* hessian_home = NULL
    cdef Py_ssize_t padded = round_up(n)
    cdef bint per_element = job.operands[VALUE].data != NULL
    cdef bint summed
    cdef int i
    cdef Py_ssize_t outside = 0
    prediction = tile_in(job, PREDICTION, start, n, buffers.prediction)
    target = tile_in(job, TARGET, start, n, buffers.target)
    if job.limited[PREDICTION]:
        outside += job.tools.outside(prediction, n, job.lower[PREDICTION], job.upper[PREDICTION])
    if job.limited[TARGET]:
        outside += job.tools.outside(target, n, job.lower[TARGET], job.upper[TARGET])
    if job.operands[WEIGHT].data != NULL:
        weight = tile_in(job, WEIGHT, start, n, buffers.weight)
        step = weight
        if job.scale != 1 and job.has_gradient:
            job.tools.scale(weight, job.scale, padded, buffers.step)
            step = buffers.step
    for i in range(job.n_varying):
        varying[i] = job.constant_varying[i]
        if job.operands[VARYING + i].data != NULL:
            varying[i] = tile_in(job, VARYING + i, start, n, buffers.varying[i])
    if per_element:
        value = tile_out(job, VALUE, start, n, buffers.value, NULL)
    if job.operands[TANGENT].data != NULL:
        # The Hessian goes where the product with it will be, and the gradient nowhere.
        gradient = buffers.gradient
        hessian = tile_out(job, GRADIENT, start, n, buffers.hessian, NULL)
    elif job.has_gradient:
        gradient = tile_out(job, GRADIENT, start, n, buffers.gradient, &gradient_home)
    if job.has_hessian:
        hessian = tile_out(job, HESSIAN, start, n, buffers.hessian, &hessian_home)
    # Neither padding nor what a weight is yet to multiply counts.
    summed = not job.single and not per_element and weight == NULL and n == padded
    if not summed:
        memset(ignored, 0, sizeof(ignored))
    # A function from elsewhere need not know of padding.
    run_formula(job, prediction, target, step, varying, n if job.single else padded, value, gradient, hessian,
                lanes if summed else ignored, gradient_home, hessian_home)
    if per_element:
        if weight != NULL:
            job.tools.multiply(weight, padded, value)
        put_tile(job, VALUE, start, n, value, buffers.value, NULL)
    elif job.has_value and not summed:
        # The padding's loss is not part of the sum.
        memset(<char*>value + n * job.real_size, 0, (padded - n) * job.real_size)
        if weight == NULL:
            job.tools.sum(value, padded, lanes)
        else:
            job.tools.sum_weighted(value, weight, padded, lanes)
            job.tools.sum(weight, padded, weight_lanes)
    if job.operands[TANGENT].data != NULL:
        job.tools.multiply(tile_in(job, TANGENT, start, n, buffers.gradient), padded, hessian)
        put_tile(job, GRADIENT, start, n, hessian, buffers.hessian, NULL)
    elif job.has_gradient:
        put_tile(job, GRADIENT, start, n, gradient, buffers.gradient, gradient_home)
    if job.has_hessian:
        put_tile(job, HESSIAN, start, n, hessian, buffers.hessian, hessian_home)
    return outside


cdef void elementwise_range(const Job* job, Py_ssize_t start, Py_ssize_t stop, double* total,
                            double* weight, Py_ssize_t* bad) noexcept nogil:
    cdef double lanes[LANES]
    cdef double weight_lanes[LANES]
    cdef Py_ssize_t n
    memset(lanes, 0, sizeof(lanes))
    memset(weight_lanes, 0, sizeof(weight_lanes))
    bad[0] = 0
    while start < stop:
        n = tile_length(start, stop)
        bad[0] += elementwise_tile(job, start, n, lanes, weight_lanes)
        start += n
    total[0] = lane_total(lanes)
    weight[0] = lane_total(weight_lanes)


cdef void elementwise_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef Py_ssize_t start = chunk * job.chunk
    elementwise_range(job, start, min(start + job.chunk, job.n), &job.totals[chunk],
                      &job.weights[chunk], &job.bad[chunk])
    if job.streaming:
        stream_fence()


cdef void weight_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    # The sum of the weights alone, which a mean's gradient needs before the first of it is written.
    cdef double buffer[TILE]
    cdef double lanes[LANES]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t n
    memset(lanes, 0, sizeof(lanes))
    while start < stop:
        n = tile_length(start, stop)
        job.tools.sum(tile_in(job, WEIGHT, start, n, buffer), round_up(n), lanes)
        start += n
    job.weights[chunk] = lane_total(lanes)


cdef void outside_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    # Counts what lies outside of a domain, where that must be known before anything is written.
    cdef double buffer[TILE]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t n
    job.bad[chunk] = 0
    while start < stop:
        n = min(<Py_ssize_t>TILE, stop - start)
        job.bad[chunk] += job.tools.outside(
            tile_in(job, PREDICTION, start, n, buffer), n, job.lower[PREDICTION],
            job.upper[PREDICTION])
        start += n
