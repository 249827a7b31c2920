# Passes over rows of logits that every softmax loss shares, expanded once per dtype.
#
# `m` is a row's maximum and `rest` the sum of exp(z - m) over all classes but one maximal one, so
# that the normaliser is 1 + rest and log P of a confident class, -log1p(rest), keeps its digits.
# A maximum of +-inf or a NaN makes `rest` NaN, and with it the whole row.

cdef extern from "softmax_math.h" nogil:
    real exp_term(real x)
    void exp_lanes(const real* z, const real* m, real* e, real* part, real* ties)


cdef inline void lanes_maximum(const real* z, Py_ssize_t stride, Py_ssize_t classes, real* m,
                               const real* label, real* at_label) noexcept nogil:
    # Maximum of LANES rows, class by class, and the logit at the label: added up, for as a select
    # GCC would make a branch of it, and to look labels up one by one takes four times as long.
    cdef real x, class_
    cdef Py_ssize_t k, lane
    for lane in range(LANES):
        m[lane] = z[lane]
        at_label[lane] = z[lane] if label[lane] == 0.0 else 0.0
    for k in range(1, classes):
        class_ = <real>k
        for lane in range(LANES):
            x = z[k * stride + lane]
            m[lane] = x if x > m[lane] else m[lane]
            at_label[lane] += x if label[lane] == class_ else 0.0


cdef inline void lanes_softmax(const ClassTile* tile, Py_ssize_t start, const real* m,
                               real* rest) noexcept nogil:
    # `rest` of LANES rows; exp(z - m) takes the place of z.
    cdef real* z = <real*>tile.logits + start
    cdef const char* ahead = tile.next_logits
    cdef real part[LANES]
    cdef real ties[LANES]
    cdef double sums[LANES]
    cdef double tied[LANES]
    cdef Py_ssize_t first, k, lane
    for lane in range(LANES):
        sums[lane] = 0
        tied[lane] = 0
    if ahead != NULL:
        ahead += start * tile.next_row
    for first in range(0, tile.classes, SHORT_SUM):
        for lane in range(LANES):
            part[lane] = 0.0
            ties[lane] = 0.0
        for k in range(first, min(first + <Py_ssize_t>SHORT_SUM, tile.classes)):
            if ahead != NULL:
                # The memory would idle while exponentials are computed. All at once, before them,
                # there are more requests than the processor keeps open.
                fetch_ahead(ahead, LANES * sizeof(real))
                ahead += tile.next_class
            exp_lanes(z, m, z, part, ties)
            z += tile.stride
        for lane in range(LANES):
            sums[lane] += part[lane]
            tied[lane] += ties[lane]
    for lane in range(LANES):
        rest[lane] = <real>(sums[lane] + (tied[lane] - 1)) + (m[lane] - m[lane])


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


cdef inline real larger(real a, real b) noexcept nogil:
    return a if a > b else b


cdef inline real lane_maximum(const real* lanes) noexcept nogil:
    cdef real best[LANES]
    cdef Py_ssize_t lane
    for lane in range(LANES // 2):
        best[lane] = larger(lanes[lane], lanes[lane + LANES // 2])
    for lane in range(LANES // 4):
        best[lane] = larger(best[lane], best[lane + LANES // 4])
    for lane in range(LANES // 8):
        best[lane] = larger(best[lane], best[lane + LANES // 8])
    return larger(larger(best[0], best[2]), larger(best[1], best[3]))


cdef inline void row_exp(in_array z_, Py_ssize_t n, real m, out_array e_, double* rest,
                         double* ties) noexcept nogil:
    # As block_exp, along at most a tile of one row: 16 additions a lane stay in real, what follows
    # is double, so the normaliser of 256 000 classes keeps its digits.
    cdef const real* z = <const real*>z_
    cdef real* e = <real*>e_
    cdef real part[LANES]
    cdef real tied[LANES]
    cdef real maxima[LANES]
    cdef Py_ssize_t i, lane
    n &= ~<Py_ssize_t>(LANES - 1)
    for lane in range(LANES):
        part[lane] = 0.0
        tied[lane] = 0.0
        maxima[lane] = m
    for i in range(0, n, LANES):
        exp_lanes(z + i, maxima, e + i, part, tied)
    for lane in range(LANES):
        rest[lane] += <double>part[lane]
        ties[lane] += <double>tied[lane]


cdef inline void softmax_row(const ClassTile* tile, real* maximum, real* rest) noexcept nogil:
    # Maximum and `rest` of one row; exp(z - m) goes to its place unless that is NULL. The last
    # classes, too few for a vector, pass through a padded buffer, so that no class takes a scalar
    # path.
    cdef const real* z = <const real*>tile.logits
    cdef real* e = <real*>tile.exponentials
    cdef Py_ssize_t classes = tile.classes
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
    m = lane_maximum(lanes)
    for start in range(0, main, TILE):
        n = min(<Py_ssize_t>TILE, main - start)
        if tile.next_logits != NULL:
            fetch_ahead(tile.next_logits + start * sizeof(real), n * sizeof(real))
        row_exp(z + start, n, m, &e_tile[0] if e == NULL else e + start, sums, ties)
    if main < classes:
        row_exp(z_tail, LANES, m, e_tile, sums, ties)
        if e != NULL:
            memcpy(e + main, e_tile, (classes - main) * sizeof(real))
    maximum[0] = m
    rest[0] = <real>(lane_total(sums) + (lane_total(ties) - 1)) + (m - m)


cdef inline real label_mass(const real* target, real keep, real share, const real* class_weight,
                            const real* share_weight, Py_ssize_t k) noexcept nogil:
    # The mass of class k: its smoothed probability (share alone without target) times its weight.
    cdef real mass = share if share_weight == NULL else share * share_weight[k]
    cdef real own
    if target == NULL:
        return mass
    own = keep * target[k]
    return own + mass if class_weight == NULL else own * class_weight[k] + mass


cdef inline double row_spread(const real* z, const real* target, Py_ssize_t classes, real m, real keep,
                              real share, const real* class_weight, const real* share_weight,
                              double* mass_sum) noexcept nogil:
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
            mass = label_mass(target, keep, share, class_weight, share_weight, k + lane)
            masses[lane] += mass
            spread[lane] += product(mass, m - z[k + lane])
    for lane in range(classes - main):
        mass = label_mass(target, keep, share, class_weight, share_weight, main + lane)
        masses[lane] += mass
        spread[lane] += product(mass, m - z[main + lane])
    mass_sum[0] = lane_total(masses)
    return lane_total(spread)


cdef inline void row_hessian(in_array e_, Py_ssize_t n, real inverse, real total, real rest,
                             real mass, real bend, out_array h_) noexcept nogil:
    # mass P (1 - P) - bend P^2; 1 - P is taken from the other classes' sum. A bend may be as large as
    # P^2 is small: their product is made from the left.
    cdef const real* e = <const real*>e_
    cdef real* h = <real*>h_
    cdef real p
    cdef Py_ssize_t i
    for i in range(n):
        p = e[i] * inverse
        h[i] = mass * p * ((rest if e[i] == 1.0 else total - e[i]) * inverse) - bend * p * p


cdef inline void row_gradient(in_array e_, Py_ssize_t n, real mass, real share_step,
                              const real* share_weight, out_array g_) noexcept nogil:
    # mass e - share w step
    cdef const real* e = <const real*>e_
    cdef real* g = <real*>g_
    cdef Py_ssize_t i
    if share_step == 0:
        for i in range(n):
            g[i] = mass * e[i]
    elif share_weight == NULL:
        for i in range(n):
            g[i] = mass * e[i] - share_step
    else:
        for i in range(n):
            g[i] = mass * e[i] - share_step * share_weight[i]


# The product of the Hessian
#   mass (diag P - P P^T) - bend (P - one_hot) (P - one_hot)^T + tilt P P^T
# and v, the tangent. But for the tilt it does not change with what is added to all of v, so the entry at
# a maximal class is taken from all: P.v then has no term there, and v - P.v keeps its digits where a P is
# almost 1.

cdef inline real label_lean(real e, real rest, real inverse, bint here) noexcept nogil:
    # P - one_hot of a class.
    cdef real complement = (rest if e == 1.0 else (1.0 + rest) - e) * inverse
    return -complement if here else e * inverse


cdef void lanes_hessian_product(const ClassTile* tile, Py_ssize_t start, const real* rest,
                                const real* inverse, const real* mass, const real* bend,
                                const real* tilt) noexcept nogil:
    # Of LANES rows, whose exponentials it replaces; without `bend` there are no labels. Mass, bend and
    # tilt hold the step.
    cdef real* e = <real*>tile.logits + start
    cdef const real* tangent = <const real*>tile.tangent + start
    cdef const real* label = <const real*>tile.label + start
    cdef Py_ssize_t stride = tile.stride
    cdef real top[LANES]
    cdef real at_label[LANES]
    cdef double sums[LANES]
    cdef real mean[LANES]
    cdef real tilted[LANES]
    cdef real x, class_
    cdef Py_ssize_t k, r
    for r in range(LANES):
        top[r] = 0.0
        at_label[r] = 0.0
        sums[r] = 0
    for k in range(tile.classes):
        for r in range(LANES):
            top[r] = tangent[k * stride + r] if e[k * stride + r] == 1.0 else top[r]
    for k in range(tile.classes):
        class_ = <real>k
        for r in range(LANES):
            x = tangent[k * stride + r] - top[r]
            sums[r] += e[k * stride + r] * x
        if bend != NULL:
            for r in range(LANES):
                x = tangent[k * stride + r] - top[r]
                at_label[r] = x if label[r] == class_ else at_label[r]
    for r in range(LANES):
        mean[r] = <real>sums[r] * inverse[r]
        tilted[r] = 0.0
    if tilt != NULL:
        for r in range(LANES):
            tilted[r] = tilt[r] * (mean[r] + top[r]) * inverse[r]
    for k in range(tile.classes):
        class_ = <real>k
        if bend == NULL:
            for r in range(LANES):
                x = (tangent[k * stride + r] - top[r]) - mean[r]
                e[k * stride + r] = (mass[r] * (e[k * stride + r] * inverse[r]) * x
                                     + tilted[r] * e[k * stride + r])
        else:
            for r in range(LANES):
                x = (tangent[k * stride + r] - top[r]) - mean[r]
                e[k * stride + r] = (
                    mass[r] * (e[k * stride + r] * inverse[r]) * x + tilted[r] * e[k * stride + r]
                    - bend[r] * (mean[r] - at_label[r])
                    * label_lean(e[k * stride + r], rest[r], inverse[r], label[r] == class_))


cdef void row_hessian_product(const ClassTile* tile, Py_ssize_t label, real rest, real mass,
                              real bend, real tilt) noexcept nogil:
    # Of one row; its label, or -1.
    cdef const real* e = <const real*>tile.exponentials
    cdef const real* tangent = <const real*>tile.tangent
    cdef real* product_ = <real*>tile.gradient
    cdef real inverse = 1.0 / (1.0 + rest)
    cdef real top = 0.0
    cdef real mean, lean = 0.0
    cdef double sums[LANES]
    cdef Py_ssize_t main = tile.classes & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t k, lane
    for k in range(tile.classes):
        if e[k] == 1.0:
            top = tangent[k]
            break
    for lane in range(LANES):
        sums[lane] = 0
    for k in range(0, main, LANES):
        for lane in range(LANES):
            sums[lane] += e[k + lane] * (tangent[k + lane] - top)
    for lane in range(tile.classes - main):
        sums[lane] += e[main + lane] * (tangent[main + lane] - top)
    mean = <real>lane_total(sums) * inverse
    if tilt != 0:
        tilt = tilt * (mean + top)
    if label >= 0:
        lean = bend * (mean - (tangent[label] - top))
    for k in range(tile.classes):
        product_[k] = mass * (e[k] * inverse) * ((tangent[k] - top) - mean) - (lean - tilt) * (
            e[k] * inverse)
    if label >= 0:
        product_[label] = (
            mass * (e[label] * inverse) * ((tangent[label] - top) - mean)
            - lean * label_lean(e[label], rest, inverse, True) + tilt * (e[label] * inverse))


cdef void row_packed_hessian(const ClassTile* tile, Py_ssize_t label, real rest, real mass, real bend,
                             real tilt) noexcept nogil:
    # The Hessian's lower triangle, row by row.
    cdef const real* e = <const real*>tile.exponentials
    cdef real* packed = <real*>tile.packed
    cdef real inverse = 1.0 / (1.0 + rest)
    cdef real p, lean, x
    cdef Py_ssize_t i, j
    for i in range(tile.classes):
        p = e[i] * inverse
        lean = label_lean(e[i], rest, inverse, i == label)
        x = ((tilt - mass) * p - bend * lean) * inverse
        for j in range(i):
            packed[j] = x * e[j]
        if 0 <= label < i:
            packed[label] = (tilt - mass) * p * (e[label] * inverse) - bend * lean * (
                label_lean(e[label], rest, inverse, True))
        packed[i] = (mass * p * -label_lean(e[i], rest, inverse, True) - bend * lean * lean
                     + tilt * p * p)
        packed += i + 1


cdef inline real cap_slope(real u) noexcept nogil:
    # 1 - tanh(u)^2, without the cancellation: 4 q / (1 + q)^2 with q = exp(-2 |u|).
    cdef real q = exp_nonpositive(-2.0 * fabs(u))
    return 4.0 * q / ((1.0 + q) * (1.0 + q))


cdef void capped_row_tile(const ClassTile* tile, class_function row, double cap_) noexcept nogil:
    # A tile function for one row, of logits c tanh(z / c). With slope s and curvature b of that, the
    # Hessian is  s s^T H + diag(b g)  of H and g with respect to what it makes of the logits.
    cdef const real* logits = <const real*>tile.logits
    cdef const real* tangent = <const real*>tile.tangent
    cdef real* z = <real*>tile.scratch
    cdef real* slope = z + tile.classes
    cdef real* curvature = slope + tile.classes
    cdef real* along = curvature + tile.classes
    cdef real* first = along + tile.classes
    cdef real* gradient = <real*>tile.gradient
    cdef real* hessian = <real*>tile.hessian
    cdef real* packed = <real*>tile.packed
    cdef real cap = <real>cap_
    cdef real t
    cdef Py_ssize_t i, k
    cdef ClassTile inner = tile[0]
    inner.logits = z
    for k in range(tile.classes):
        t = tanh(logits[k] / cap)
        z[k] = cap * t
        slope[k] = cap_slope(logits[k] / cap)
        curvature[k] = -2.0 * t * slope[k] / cap
    if tangent != NULL:
        inner.tangent = NULL
        inner.gradient = first
        row(&inner)
        for k in range(tile.classes):
            along[k] = slope[k] * tangent[k]
        inner.tangent = along
        inner.gradient = gradient
        row(&inner)
        for k in range(tile.classes):
            gradient[k] = gradient[k] * slope[k] + first[k] * curvature[k] * tangent[k]
        return
    row(&inner)
    if gradient == NULL:
        return
    if hessian != NULL:
        for k in range(tile.classes):
            hessian[k] = hessian[k] * slope[k] * slope[k] + gradient[k] * curvature[k]
    if packed != NULL:
        for i in range(tile.classes):
            for k in range(i + 1):
                packed[k] *= slope[i] * slope[k]
            packed[i] += gradient[i] * curvature[i]
            packed += i + 1
    for k in range(tile.classes):
        gradient[k] *= slope[k]
