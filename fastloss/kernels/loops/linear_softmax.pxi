# The two passes over logits that come a tile of the vocabulary at a time, expanded once per dtype.
# The first gathers what a softmax needs of a row, the second makes the gradient.


cdef inline void linear_logits(const LinearRow* row, out_array z_) noexcept nogil:
    # From what the matrix product left to the logits of the softmax.
    cdef const real* x = <const real*>row.logits
    cdef const real* bias = <const real*>row.bias
    cdef real* z = <real*>z_
    cdef real cap = <real>row.soft_cap
    cdef Py_ssize_t i
    if bias == NULL:
        for i in range(row.columns):
            z[i] = x[i]
    else:
        for i in range(row.columns):
            z[i] = x[i] + bias[i]
    if cap != 0:
        for i in range(row.columns):
            z[i] = cap * tanh(z[i] / cap)


cdef inline void cap_slopes(const LinearRow* row, out_array slope_) noexcept nogil:
    # The soft cap's derivative.
    cdef const real* x = <const real*>row.logits
    cdef const real* bias = <const real*>row.bias
    cdef real* slope = <real*>slope_
    cdef real cap = <real>row.soft_cap
    cdef Py_ssize_t i
    if bias == NULL:
        for i in range(row.columns):
            slope[i] = x[i]
    else:
        for i in range(row.columns):
            slope[i] = x[i] + bias[i]
    for i in range(row.columns):
        slope[i] = cap_slope(slope[i] / cap)


cdef inline double row_disorder(const real* z, Py_ssize_t classes, real m) noexcept nogil:
    # Sum of exp(z - m) (m - z): the entropy's part that is not log of the normaliser.
    cdef double lanes[LANES]
    cdef real d
    cdef Py_ssize_t main = classes & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t k, lane
    for lane in range(LANES):
        lanes[lane] = 0
    for k in range(0, main, LANES):
        for lane in range(LANES):
            d = z[k + lane] - m
            lanes[lane] -= product(exp_nonpositive(d), d)
    for lane in range(classes - main):
        d = z[main + lane] - m
        lanes[lane] -= product(exp_nonpositive(d), d)
    return lane_total(lanes)


cdef void linear_reduce_tile(LinearRow* row) noexcept nogil:
    # Sums of a tile are relative to its own maximum, and joined to those of the tiles before it by
    # one exponential in double. All terms are positive, so nothing cancels.
    cdef real buffer[COLUMNS]
    cdef const real* z = <const real*>row.logits
    cdef const real* class_weight = <const real*>row.class_weight
    cdef Py_ssize_t n = min(row.columns, <Py_ssize_t>COLUMNS)
    cdef Py_ssize_t k
    cdef real m, rest
    cdef double before = row.maximum
    cdef double decay, masses
    cdef double disorder = 0
    cdef ClassTile tile
    if row.bias != NULL or row.soft_cap != 0:
        linear_logits(row, buffer)
        z = buffer
    k = row.label - row.first
    if 0 <= k < n:
        row.at_label = z[k]
    tile.classes = n
    tile.logits = <void*>z
    tile.exponentials = NULL
    tile.next_logits = NULL
    softmax_row(&tile, &m, &rest)
    if m == -INFINITY:
        # Nothing but -inf, which a mask may make of a whole tile; or NaN.
        for k in range(n):
            if z[k] != z[k]:
                row.rest = NAN
            if row.share != 0 and (class_weight == NULL or class_weight[k] != 0):
                row.spread = INFINITY
        return
    if row.has_disorder:
        disorder = row_disorder(z, n, m)
    if m > before:
        decay = exp_nonpositive_f64(before - m)
        if before > -INFINITY:
            row.disorder += (m - before) * (1 + row.rest)
        row.disorder = row.disorder * decay + disorder
        row.rest = rest + (1 + row.rest) * decay
        if row.share_before != 0:
            row.spread += row.share_before * (m - before)
        row.maximum = m
        for k in range(n):
            if z[k] == m:
                row.argmax = row.first + k
                break
    else:
        decay = exp_nonpositive_f64(m - before)
        row.disorder += decay * (disorder + (before - m) * (1 + <double>rest))
        row.rest += decay * (1 + <double>rest)
    if row.share != 0:
        row.spread += row_spread(z, NULL, n, <real>row.maximum, 1, <real>row.share, NULL, class_weight,
                                 &masses)


cdef void linear_derive_tile(LinearRow* row) noexcept nogil:
    cdef real z[COLUMNS]
    cdef real slope[COLUMNS]
    cdef real* gradient = <real*>row.gradient
    cdef const real* class_weight = <const real*>row.class_weight
    cdef real m = <real>row.maximum
    cdef real mass = <real>row.mass
    cdef real spread = <real>(row.share * row.step)
    cdef Py_ssize_t n = min(row.columns, <Py_ssize_t>COLUMNS)
    cdef Py_ssize_t label = row.label - row.first
    cdef Py_ssize_t k
    linear_logits(row, z)
    if row.soft_cap != 0:
        cap_slopes(row, slope)
    if row.share == 0:
        for k in range(n):
            gradient[k] = mass * exp_nonpositive(z[k] - m)
    elif class_weight == NULL:
        for k in range(n):
            gradient[k] = mass * exp_nonpositive(z[k] - m) - spread
    else:
        for k in range(n):
            gradient[k] = mass * exp_nonpositive(z[k] - m) - spread * class_weight[k]
    if 0 <= label < n:
        gradient[label] = <real>row.hit
    if row.soft_cap != 0:
        for k in range(n):
            gradient[k] *= slope[k]


cdef void accumulate_tile(in_array x_, Py_ssize_t n, out_array y_) noexcept nogil:
    cdef const real* x = <const real*>x_
    cdef real* y = <real*>y_
    cdef Py_ssize_t i
    for i in range(n):
        y[i] += x[i]


cdef void column_sums_tile(in_array x_, Py_ssize_t rows, Py_ssize_t stride, Py_ssize_t n,
                           double* sums) noexcept nogil:
    # At most LANES columns, row after row: the order of additions is that of the rows.
    cdef const real* x = <const real*>x_
    cdef double lanes[LANES]
    cdef Py_ssize_t r, lane
    for lane in range(LANES):
        lanes[lane] = 0
    if n == LANES:
        for r in range(rows):
            for lane in range(LANES):
                lanes[lane] += <double>x[r * stride + lane]
    else:
        for r in range(rows):
            for lane in range(n):
                lanes[lane] += <double>x[r * stride + lane]
    for lane in range(n):
        sums[lane] += lanes[lane]
