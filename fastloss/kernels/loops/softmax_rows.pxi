# Passes over rows of logits that every softmax loss shares, expanded once per dtype.
#
# `m` is a row's maximum and `rest` the sum of exp(z - m) over all classes but one maximal one, so
# that the normaliser is 1 + rest and log P of a confident class, -log1p(rest), keeps its digits.
# A maximum of +-inf or a NaN makes `rest` NaN, and with it the whole row.


cdef inline void block_max(in_array z_, Py_ssize_t stride, Py_ssize_t n, Py_ssize_t classes,
                           out_array m_) noexcept nogil:
    cdef const real* z = <const real*>z_
    cdef real* m = <real*>m_
    cdef Py_ssize_t k, r
    n &= ~<Py_ssize_t>(LANES - 1)
    for r in range(n):
        m[r] = z[r]
    for k in range(1, classes):
        for r in range(n):
            m[r] = z[k * stride + r] if z[k * stride + r] > m[r] else m[r]


cdef inline void block_exp(in_array z_, Py_ssize_t n, in_array m_, out_array e_, out_array part_,
                           out_array ties_) noexcept nogil:
    # One class of a block: e = exp(z - m), its share of `rest`, and how often the maximum occurs.
    cdef const real* z = <const real*>z_
    cdef const real* m = <const real*>m_
    cdef real* e = <real*>e_
    cdef real* part = <real*>part_
    cdef real* ties = <real*>ties_
    cdef real x
    cdef Py_ssize_t r
    n &= ~<Py_ssize_t>(LANES - 1)
    for r in range(n):
        x = exp_nonpositive(z[r] - m[r])
        e[r] = x
        part[r] += 0.0 if z[r] == m[r] else x
        ties[r] += 1.0 if z[r] == m[r] else 0.0


cdef inline void softmax_block(const ClassTile* tile, out_array m_, out_array rest_) noexcept nogil:
    # Maximum and `rest` of a block of rows; exp(z - m) goes to the gradient's place if there is one.
    # Sums of a few classes stay in real, what follows is double.
    cdef const real* z = <const real*>tile.logits
    cdef real* gradient = <real*>tile.gradient
    cdef real* m = <real*>m_
    cdef real* rest = <real*>rest_
    cdef Py_ssize_t n = tile.rows & ~<Py_ssize_t>(LANES - 1)
    cdef real e[ROWS]
    cdef real part[ROWS]
    cdef real ties[ROWS]
    cdef double sums[ROWS]
    cdef double tied[ROWS]
    cdef Py_ssize_t k, r
    block_max(z, tile.logits_stride, n, tile.classes, m)
    for r in range(n):
        part[r] = 0.0
        ties[r] = 0.0
        sums[r] = 0
        tied[r] = 0
    for k in range(tile.classes):
        block_exp(z + k * tile.logits_stride, n, m,
                  &e[0] if gradient == NULL else gradient + k * tile.gradient_stride, part, ties)
        if k % FEW_CLASSES == FEW_CLASSES - 1 or k == tile.classes - 1:
            for r in range(n):
                sums[r] += part[r]
                tied[r] += ties[r]
                part[r] = 0.0
                ties[r] = 0.0
    for r in range(n):
        rest[r] = <real>(sums[r] + (tied[r] - 1)) + (m[r] - m[r])


cdef inline void row_max(in_array z_, Py_ssize_t n, real* lanes) noexcept nogil:
    cdef const real* z = <const real*>z_
    cdef real best[LANES]
    cdef Py_ssize_t i, lane
    n &= ~<Py_ssize_t>(LANES - 1)
    for lane in range(LANES):
        best[lane] = lanes[lane]
    for i in range(0, n, LANES):
        for lane in range(LANES):
            best[lane] = z[i + lane] if z[i + lane] > best[lane] else best[lane]
    for lane in range(LANES):
        lanes[lane] = best[lane]


cdef inline void row_exp(in_array z_, Py_ssize_t n, real m, out_array e_, double* rest,
                         double* ties) noexcept nogil:
    # As block_exp, along at most a tile of one row: 16 additions a lane stay in real, what follows
    # is double, so the normaliser of 256 000 classes keeps its digits.
    cdef const real* z = <const real*>z_
    cdef real* e = <real*>e_
    cdef real part[LANES]
    cdef real tied[LANES]
    cdef real x
    cdef Py_ssize_t i, lane
    n &= ~<Py_ssize_t>(LANES - 1)
    for lane in range(LANES):
        part[lane] = 0.0
        tied[lane] = 0.0
    for i in range(0, n, LANES):
        for lane in range(LANES):
            x = exp_nonpositive(z[i + lane] - m)
            e[i + lane] = x
            part[lane] += 0.0 if z[i + lane] == m else x
            tied[lane] += 1.0 if z[i + lane] == m else 0.0
    for lane in range(LANES):
        rest[lane] += <double>part[lane]
        ties[lane] += <double>tied[lane]


cdef inline void softmax_row(in_array z_, Py_ssize_t classes, out_array e_, real* maximum,
                             real* rest) noexcept nogil:
    # Maximum and `rest` of one row; exp(z - m) goes to e unless that is NULL. The last classes, too
    # few for a vector, pass through a padded buffer, so that no class takes a scalar path.
    cdef const real* z = <const real*>z_
    cdef real* e = <real*>e_
    cdef real lanes[LANES]
    cdef real z_tail[LANES]
    cdef real e_tile[TILE]
    cdef double sums[LANES]
    cdef double ties[LANES]
    cdef real m
    cdef Py_ssize_t main = classes & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t lane, start, n
    for lane in range(LANES):
        lanes[lane] = minus_infinity()
        z_tail[lane] = z[main + lane] if main + lane < classes else minus_infinity()
        sums[lane] = 0
        ties[lane] = 0
    row_max(z, main, lanes)
    row_max(z_tail, LANES, lanes)
    m = lanes[0]
    for lane in range(1, LANES):
        m = lanes[lane] if lanes[lane] > m else m
    for start in range(0, main, TILE):
        n = min(<Py_ssize_t>TILE, main - start)
        row_exp(z + start, n, m, &e_tile[0] if e == NULL else e + start, sums, ties)
    if main < classes:
        row_exp(z_tail, LANES, m, e_tile, sums, ties)
        if e != NULL:
            memcpy(e + main, e_tile, (classes - main) * sizeof(real))
    maximum[0] = m
    rest[0] = <real>(lane_total(sums) + (lane_total(ties) - 1)) + (m - m)


cdef inline real label_mass(const real* target, real keep, real share, const real* class_weight,
                            Py_ssize_t k) noexcept nogil:
    # The mass of class k: its smoothed probability (share alone without target) times its weight.
    cdef real mass = share if target == NULL else keep * target[k] + share
    return mass if class_weight == NULL else mass * class_weight[k]


cdef inline double row_spread(const real* z, const real* target, Py_ssize_t classes, real m, real keep,
                              real share, const real* class_weight, double* mass_sum) noexcept nogil:
    # Sum of mass (m - z), where nothing cancels and a class without mass may have z = -inf; and
    # the sum of the mass.
    cdef double spread[LANES]
    cdef double masses[LANES]
    cdef real mass
    cdef Py_ssize_t main = classes & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t k, lane
    for lane in range(LANES):
        spread[lane] = 0
        masses[lane] = 0
    for k in range(0, main, LANES):
        for lane in range(LANES):
            mass = label_mass(target, keep, share, class_weight, k + lane)
            masses[lane] += mass
            spread[lane] += product(mass, m - z[k + lane])
    for lane in range(classes - main):
        mass = label_mass(target, keep, share, class_weight, main + lane)
        masses[lane] += mass
        spread[lane] += product(mass, m - z[main + lane])
    mass_sum[0] = lane_total(masses)
    return lane_total(spread)


cdef inline void row_hessian(in_array e_, Py_ssize_t classes, real inverse, real total, real rest,
                             real mass, real bend, out_array h_) noexcept nogil:
    # mass P (1 - P) - bend P^2; 1 - P is taken from the other classes' sum.
    cdef const real* e = <const real*>e_
    cdef real* h = <real*>h_
    cdef real p
    cdef Py_ssize_t i
    for i in range(classes):
        p = e[i] * inverse
        h[i] = mass * p * ((rest if e[i] == 1.0 else total - e[i]) * inverse) - bend * (p * p)


