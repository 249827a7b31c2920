# Losses of a row that are a sum over its classes of an elementwise formula. How a class's prediction
# and target come about:
#
#   each         as they are given, the target with a class axis
#   one_hot      the target is 1 at the label and `negative` elsewhere
#   cumulative   the target is 1 below the label and `negative` from there on
#   rivals       the label's logit less that of each other class, with target 1
#
# Short rows share a tile, so that a few classes fill vectors as well as many.

cdef enum:
    NO_RELATION, EACH, ONE_HOT, CUMULATIVE, RIVALS

cdef enum:
    SUM_LANES = 8

RELATION_CODES = {"": NO_RELATION, "each": EACH, "one_hot": ONE_HOT, "cumulative": CUMULATIVE,
                  "rivals": RIVALS}


cdef Py_ssize_t classwise_width(const Job* job) noexcept nogil:
    return round_up(max(job.classes, <Py_ssize_t>TILE))


cdef void put_run(const Job* job, void* tile, Py_ssize_t start, Py_ssize_t n, double x) noexcept nogil:
    cdef Py_ssize_t i
    if job.real_size == 4:
        for i in range(start, start + n):
            (<float*>tile)[i] = <float>x
    else:
        for i in range(start, start + n):
            (<double*>tile)[i] = x


cdef double sum_run(const Job* job, const void* tile, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # In a few lanes, each with the sum of its rounding errors: hundreds of classes lose no digit.
    cdef double sums[SUM_LANES]
    cdef double errors[SUM_LANES]
    cdef double x[SUM_LANES]
    cdef double after, moved, total = 0, error = 0
    cdef Py_ssize_t i, lane
    memset(sums, 0, sizeof(sums))
    memset(errors, 0, sizeof(errors))
    for i in range(0, n, 8):
        for lane in range(SUM_LANES):
            x[lane] = 0
        if job.real_size == 4:
            for lane in range(min(n - i, <Py_ssize_t>SUM_LANES)):
                x[lane] = (<const float*>tile)[start + i + lane]
        else:
            for lane in range(min(n - i, <Py_ssize_t>SUM_LANES)):
                x[lane] = (<const double*>tile)[start + i + lane]
        for lane in range(SUM_LANES):
            after = sums[lane] + x[lane]
            moved = after - sums[lane]
            errors[lane] += (sums[lane] - (after - moved)) + (x[lane] - moved)
            sums[lane] = after
    for lane in range(SUM_LANES):
        after = total + sums[lane]
        moved = after - total
        error += ((total - (after - moved)) + (sums[lane] - moved)) + errors[lane]
        total = after
    # The error of an infinite sum is no number.
    return total + error if isfinite(total) else total


cdef void lead_of_label(const Job* job, void* tile, Py_ssize_t start, Py_ssize_t label) noexcept nogil:
    # A row of logits becomes the label's less each.
    cdef float single
    cdef double lead
    cdef Py_ssize_t i
    if job.real_size == 4:
        single = (<float*>tile)[start + label]
        for i in range(start, start + job.classes):
            (<float*>tile)[i] = single - (<float*>tile)[i]
    else:
        lead = (<double*>tile)[start + label]
        for i in range(start, start + job.classes):
            (<double*>tile)[i] = lead - (<double*>tile)[i]


cdef void rivals_derivative(const Job* job, void* tile, Py_ssize_t start, Py_ssize_t label,
                            bint second) noexcept nogil:
    # Of a function of the leads, with respect to the logits.
    put_run(job, tile, start + label, 1, 0)
    cdef double total = sum_run(job, tile, start, job.classes)
    cdef Py_ssize_t i
    if not second:
        for i in range(start, start + job.classes):
            if job.real_size == 4:
                (<float*>tile)[i] = 0 - (<float*>tile)[i]
            else:
                (<double*>tile)[i] = 0 - (<double*>tile)[i]
    put_run(job, tile, start + label, 1, total)


cdef void less_offset(const Job* job, void* logits, const void* offset, Py_ssize_t start) noexcept nogil:
    cdef Py_ssize_t i
    if job.real_size == 4:
        for i in range(job.classes):
            (<float*>logits)[start + i] -= (<const float*>offset)[i]
    else:
        for i in range(job.classes):
            (<double*>logits)[start + i] -= (<const double*>offset)[i]


cdef void classwise_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef double lanes[LANES]
    cdef double ignored[LANES]
    cdef int64_t label[TILE]
    cdef double weight_buffer[TILE]
    cdef double value[TILE]
    cdef Py_ssize_t start = chunk * job.chunk
    cdef Py_ssize_t stop = min(start + job.chunk, job.n)
    cdef Py_ssize_t classes = job.classes
    cdef Py_ssize_t size = job.real_size
    cdef Py_ssize_t width = classwise_width(job) * size
    cdef char* prediction = line_after(thread_scratch(job, slot))
    cdef char* target = line_after(prediction + width)
    cdef char* step = line_after(target + width)
    cdef char* values = line_after(step + width)
    cdef char* gradient = line_after(values + width)
    cdef char* hessian = line_after(gradient + width)
    cdef const void* weight = NULL
    cdef Py_ssize_t group = max(<Py_ssize_t>TILE // classes, <Py_ssize_t>1)
    cdef Py_ssize_t row, r, n, at, count, done, piece, bad = 0
    cdef double factor
    memset(lanes, 0, sizeof(lanes))
    memset(ignored, 0, sizeof(ignored))
    if job.labels:
        read_labels(job, start, stop - start, label, &bad)
    else:
        memset(label, 0, sizeof(label))
    if job.operands[WEIGHT].data != NULL:
        weight = tile_in(job, WEIGHT, start, stop - start, weight_buffer)
    put_run(job, target, 0, classwise_width(job), 1 if job.relation == RIVALS else job.negative)
    row = start
    while row < stop:
        n = min(group, stop - row)
        count = n * classes
        for r in range(n):
            at = r * classes
            factor = class_weight_of(job, label[row - start + r]) if label[row - start + r] >= 0 else 0
            put_run(job, step, at, classes,
                    factor * weight_at(job, weight, row - start + r) * job.scale * job.class_share)
            if label[row - start + r] < 0:
                # Ignored: not read.
                put_run(job, prediction, at, classes, 0)
                continue
            load_classes(job, &job.operands[PREDICTION], row + r, prediction + at * size)
            if job.offset:
                load_classes(job, &job.operands[TARGET], row + r, values)
                less_offset(job, prediction, values, at)
            if job.relation == EACH:
                load_classes(job, &job.operands[TARGET], row + r, target + at * size)
            elif job.relation == ONE_HOT:
                put_run(job, target, at + label[row - start + r], 1, 1)
            elif job.relation == CUMULATIVE:
                put_run(job, target, at, label[row - start + r], 1)
            else:
                lead_of_label(job, prediction, at, label[row - start + r])
        put_run(job, prediction, count, round_up(count) - count, 0)
        put_run(job, step, count, round_up(count) - count, 0)
        done = 0
        while done < count:
            piece = min(<Py_ssize_t>TILE, round_up(count) - done)
            at = done * size
            run_formula(job, prediction + at, target + at, step + at, job.constant_varying, piece,
                        values + at, gradient + at, hessian + at, ignored, NULL, NULL)
            done += piece
        for r in range(n if job.operands[TANGENT].data != NULL else 0):
            # The product of the Hessian and a vector takes the gradient's place.
            at = r * classes
            load_classes(job, &job.operands[TANGENT], row + r, gradient + at * size)
            if job.relation == RIVALS and label[row - start + r] >= 0:
                lead_of_label(job, gradient, at, label[row - start + r])
        if job.operands[TANGENT].data != NULL:
            job.tools.multiply(hessian, round_up(count), gradient)
        for r in range(n):
            at = r * classes
            factor = class_weight_of(job, label[row - start + r]) if label[row - start + r] >= 0 else 0
            if factor == 0:
                # An exact zero, whatever the logits of an ignored row are.
                put_run(job, values, at, classes, 0)
                if label[row - start + r] < 0:
                    put_run(job, gradient, at, classes, 0)
                    put_run(job, hessian, at, classes, 0)
            elif job.relation == RIVALS:
                put_run(job, values, at + label[row - start + r], 1, 0)
                if job.has_gradient:
                    rivals_derivative(job, gradient, at, label[row - start + r], False)
                if job.has_hessian:
                    rivals_derivative(job, hessian, at, label[row - start + r], True)
            if job.has_value:
                put(job, value, row - start + r,
                    factor * job.class_share * sum_run(job, values, at, classes))
            if job.relation == ONE_HOT and label[row - start + r] >= 0:
                put_run(job, target, at + label[row - start + r], 1, job.negative)
            elif job.relation == CUMULATIVE:
                put_run(job, target, at, classes, job.negative)
            if job.has_gradient:
                store_classes(job, &job.operands[GRADIENT], row + r, gradient + at * size)
            if job.has_hessian:
                store_classes(job, &job.operands[HESSIAN], row + r, hessian + at * size)
        row += n
    finish_values(job, start, stop - start, value, weight, lanes)
    job.totals[chunk] = lane_total(lanes)
