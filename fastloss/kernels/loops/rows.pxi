# Passes over a row of logits that lie side by side, for losses that are no function of one
# probability; expanded once per dtype. Sums and thresholds are double.


cdef inline real row_maximum(const real* z, Py_ssize_t n) noexcept nogil:
    # A NaN is passed over.
    cdef real lanes[LANES]
    cdef Py_ssize_t main = n & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t lane
    for lane in range(LANES):
        lanes[lane] = z[main + lane] if main + lane < n else minus_infinity()
    row_max(z, main, lanes)
    return lane_maximum(lanes)


cdef inline double row_sum(const real* x, Py_ssize_t n) noexcept nogil:
    cdef double sums[LANES]
    cdef Py_ssize_t main = n & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t lane
    for lane in range(LANES):
        sums[lane] = x[main + lane] if main + lane < n else 0
    sum_tile(x, main, sums)
    return lane_total(sums)


cdef inline void row_fall(const real* z, Py_ssize_t n, real temperature, real* fall) noexcept nogil:
    # (z - max(z)) / T; NaN throughout a row whose maximum is infinite.
    cdef real m = row_maximum(z, n)
    cdef Py_ssize_t k
    for k in range(n):
        fall[k] = (z[k] - m) / temperature


cdef inline void softmax_of_fall(const real* fall, Py_ssize_t n, real* e, real* rest) noexcept nogil:
    cdef ClassTile row
    cdef real maximum
    row.classes = n
    row.logits = <void*>fall
    row.exponentials = e
    row.next_logits = NULL
    softmax_row(&row, &maximum, rest)


cdef inline real* scratch_row(const ClassTile* tile, Py_ssize_t number) noexcept nogil:
    return <real*>tile.scratch + number * tile.classes


cdef inline void target_terms(const ClassTile* tile, double form, real temperature, const real* fall,
                              const real* e, real rest, Py_ssize_t start, Py_ssize_t n, real* q,
                              real* log_q) noexcept nogil:
    # Probabilities of the target and their logarithms, of n classes from `start`. The target may hold
    # the probabilities (form 0), their logarithms (1), or logits, of which the softmax is known (2).
    cdef const real* target = <const real*>tile.probabilities
    cdef real inverse, log_total
    cdef Py_ssize_t i
    if target == NULL:
        for i in range(n):
            q[i] = 0.0
            log_q[i] = minus_infinity()
        if start <= tile.row_label < start + n:
            q[tile.row_label - start] = 1.0
            log_q[tile.row_label - start] = 0.0
    elif form == 0:
        for i in range(n):
            q[i] = target[start + i]
            log_q[i] = log(target[start + i])
    elif form == 1:
        for i in range(n):
            q[i] = exp(target[start + i])
            log_q[i] = target[start + i]
    else:
        inverse = 1.0 / (1.0 + rest)
        log_total = log1p(rest)
        for i in range(n):
            q[i] = e[start + i] * inverse
            log_q[i] = fall[start + i] - log_total


cdef inline double no_number(const real* z, Py_ssize_t n) noexcept nogil:
    # NaN if there is one among z, else 0.
    cdef Py_ssize_t k, count = 0
    for k in range(n):
        count += z[k] != z[k]
    return NAN if count else 0.0


cdef inline void rival_margin(const ClassTile* tile, double margin, double floor, real* value,
                              real* gradient) noexcept nogil:
    # max(0, margin + max(floor, max of the other classes' logits) - z_label). Of several greatest
    # rivals the first has the derivative.
    cdef const real* z = <const real*>tile.logits
    cdef Py_ssize_t label = tile.row_label
    cdef Py_ssize_t k, at
    cdef real best = row_maximum(z, label)
    cdef real after = row_maximum(z + label + 1, tile.classes - label - 1)
    cdef bint free
    best = larger(best, after)
    free = best > <real>floor
    value[0] = <real>margin + ((best if free else <real>floor) - z[label])
    memset(gradient, 0, tile.classes * sizeof(real))
    if value[0] > 0.0:
        gradient[label] = -1.0
        if free:
            at = 0
            for k in range(tile.classes):
                at = k
                if z[k] == best and k != label:
                    break
            gradient[at] = 1.0
    else:
        value[0] = 0.0
    value[0] += <real>no_number(z, tile.classes)


cdef inline void add_exactly(double* total, double* error, double x) noexcept nogil:
    # The rounding errors of a sum, for the sum.
    cdef double after = total[0] + x
    cdef double moved = after - total[0]
    error[0] += (total[0] - (after - moved)) + (x - moved)
    total[0] = after


cdef inline double simplex_threshold(double* x, Py_ssize_t n, bint squared) noexcept nogil:
    # The tau with sum max(0, x - tau)^power = 1, for numbers of which the greatest is 0. Newton's
    # method on a convex function from the left: every step is one to the right, slope times distance
    # falls to a quarter each time, and with power 1 the last step is exact.
    cdef double tau = -1
    cdef double total, error, slope, after
    cdef Py_ssize_t i, turn
    for turn in range(200):
        total = -1
        error = 0
        slope = 0
        if squared:
            for i in range(n):
                if x[i] > tau:
                    add_exactly(&total, &error, (x[i] - tau) * (x[i] - tau))
                    slope += 2 * (x[i] - tau)
        else:
            for i in range(n):
                if x[i] > tau:
                    add_exactly(&total, &error, x[i] - tau)
                    slope += 1
        after = tau + (total + error) / slope
        slope = after - tau
        tau = after
        if not slope > 0:
            break
    return tau


cdef inline void entmax_loss(const ClassTile* tile, bint squared, real* value, real* gradient,
                             real* spread, real* bend) noexcept nogil:
    # With r = max(0, x - tau) and P = r (sparsemax; x = z - max z) or r^2 (entmax-1.5; half of that)
    # the Fenchel-Young loss is a sum of what is not negative:
    #   sparsemax   1/2 ((1 - P_y)^2 + sum_{k != y} P_k^2) + max(0, tau - x_y)
    #   entmax-1.5  2/3 ((1 - r_y)^2 (2 + r_y) + sum_{k != y} r_k^3) + 2 max(0, tau - x_y)
    # with 1 - P_y the sum of the others.
    cdef const real* z = <const real*>tile.logits
    cdef double* x = <double*>line_of_doubles(scratch_row(tile, 2))
    cdef Py_ssize_t label = tile.row_label
    cdef Py_ssize_t k, n = 0
    cdef double m = row_maximum(z, tile.classes)
    cdef double scale = 0.5 if squared else 1.0
    cdef double tau, r, p, at_label, rest = 0, rest_error = 0
    cdef double sum_of_powers = 0, powers_error = 0
    for k in range(tile.classes):
        r = scale * (z[k] - m)
        if r > -1:
            x[n] = r
            n += 1
    tau = simplex_threshold(x, n, squared)
    for k in range(tile.classes):
        r = scale * (z[k] - m) - tau
        if not r > 0:
            r = 0
        p = r * r if squared else r
        gradient[k] = <real>p
        if squared:
            spread[k] = <real>r
        else:
            spread[k] = <real>(r > 0)
        if k != label:
            add_exactly(&rest, &rest_error, p)
            add_exactly(&sum_of_powers, &powers_error, p * r)
    memcpy(bend, spread, tile.classes * sizeof(real))
    rest += rest_error
    sum_of_powers += powers_error
    at_label = scale * (z[label] - m) - tau
    r = at_label if at_label > 0 else 0
    gradient[label] = <real>(-rest)
    at_label = -at_label if at_label < 0 else 0
    if squared:
        p = rest / (1 + r)
        r = (2.0 / 3.0) * (p * p * (2 + r) + sum_of_powers) + 2 * at_label
    else:
        r = 0.5 * (rest * rest + sum_of_powers) + at_label
    value[0] = <real>(r + (m - m) + no_number(z, tile.classes))


cdef inline double* line_of_doubles(real* scratch) noexcept nogil:
    return <double*>((<size_t>scratch + 63) & ~<size_t>63)


cdef inline void sift_down(real* x, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    cdef real moved = x[at]
    cdef Py_ssize_t child
    while 2 * at + 1 < n:
        child = 2 * at + 1
        if child + 1 < n and x[child + 1] < x[child]:
            child += 1
        if not x[child] < moved:
            break
        x[at] = x[child]
        at = child
    x[at] = moved


cdef inline void sort_falling(real* x, Py_ssize_t n) noexcept nogil:
    # Heapsort: in place, and never quadratic.
    cdef Py_ssize_t i
    cdef real moved
    for i in range(n // 2 - 1, -1, -1):
        sift_down(x, i, n)
    for i in range(n - 1, 0, -1):
        moved = x[0]
        x[0] = x[i]
        x[i] = moved
        sift_down(x, 0, i)


cdef inline bint lacks_margin(real member, real other) noexcept nogil:
    return 1.0 - (member - other) > 0.0


cdef inline void multilabel_margin_loss(const ClassTile* tile, real* value,
                                        real* gradient) noexcept nogil:
    # The sum of max(0, 1 - (z_j - z_i)) over the target's classes j and all others i, without the pairs:
    # both sides are sorted, and from one j to the next smaller one every i that counted before grows by
    # their distance, so only what is positive is added. How often a class counts is found by bisection.
    cdef const real* z = <const real*>tile.logits
    cdef const real* target = <const real*>tile.probabilities
    cdef real* times = scratch_row(tile, 2)
    cdef real* members = scratch_row(tile, 3)
    cdef real* others = scratch_row(tile, 4)
    cdef Py_ssize_t n_members = 0, n_others = 0, active = 0
    cdef Py_ssize_t i, k, low, high
    cdef double level = 0, level_error = 0, total = 0, error = 0
    cdef double inverse = 1.0 / tile.classes
    memset(times, 0, tile.classes * sizeof(real))
    for i in range(tile.classes):
        # Labels were checked; somebody may have changed them since.
        if not (target[i] >= 0 and target[i] < tile.classes):
            break
        k = <Py_ssize_t>target[i]
        times[k] += 1.0
        members[n_members] = z[k]
        n_members += 1
    for k in range(tile.classes):
        if times[k] == 0:
            others[n_others] = z[k]
            n_others += 1
    sort_falling(members, n_members)
    sort_falling(others, n_others)
    for i in range(n_members):
        if i > 0:
            add_exactly(&level, &level_error,
                        active * (<double>members[i - 1] - <double>members[i]))
        while active < n_others and lacks_margin(members[i], others[active]):
            add_exactly(&level, &level_error, 1 - (<double>members[i] - <double>others[active]))
            active += 1
        add_exactly(&total, &error, level)
        error += level_error
    # The error of an infinite sum is no number.
    if error == error:
        total += error
    for k in range(tile.classes):
        if times[k] > 0:
            # The first of the others that keeps its distance.
            low = 0
            high = n_others
            while low < high:
                i = (low + high) // 2
                if lacks_margin(z[k], others[i]):
                    low = i + 1
                else:
                    high = i
            gradient[k] = <real>(-inverse * low * times[k])
        else:
            # The first of the target's classes that is not far enough above.
            low = 0
            high = n_members
            while low < high:
                i = (low + high) // 2
                if lacks_margin(members[i], z[k]):
                    high = i
                else:
                    low = i + 1
            gradient[k] = <real>(inverse * (n_members - low))
    value[0] = <real>(total * inverse + no_number(z, tile.classes))


cdef inline void tempered_powers(in_array fall_, Py_ssize_t n, real shift, real tail,
                                 out_array depth_, out_array p_, out_array s_) noexcept nogil:
    # Of p = exp_t(-x), t = 1 + tail and x = shift + fall: -log p = log(1 + tail x) / tail, p, and its
    # power t, which is p / (1 + tail x).
    cdef const real* fall = <const real*>fall_
    cdef real* depth = <real*>depth_
    cdef real* p = <real*>p_
    cdef real* s = <real*>s_
    cdef real x
    cdef Py_ssize_t k
    if tail == 0.0:
        for k in range(n):
            depth[k] = shift + fall[k]
            p[k] = exp_nonpositive(-depth[k])
            s[k] = p[k]
        return
    for k in range(n):
        x = tail * (shift + fall[k])
        depth[k] = log1p(x) / tail
        p[k] = exp_nonpositive(-depth[k])
        s[k] = p[k] / (1.0 + x)


cdef inline real tempered_softmax(const real* fall, Py_ssize_t n, Py_ssize_t top, real tail,
                                  real* depth, real* p, real* s) noexcept nogil:
    # P = exp_t(-(shift + fall)) with the shift that makes it sum to 1, as -log P, P and P^t; returns
    # 1 - P of `top`, whose fall is 0. With G the sum that a shift gives, G^-tail is concave (a mean of
    # 1 + tail (shift + fall) of negative order), and a line where all falls are equal: Newton's steps
    # on it begin at 0, go up, and never pass the solution. For t = 1 the first is exact. One that is e
    # times 1 + tail shift leaves an error of t / 2 e^2 of that at most: the next would change nothing.
    cdef real shift = 0.0
    cdef real rest, excess, growth, step, base, at_top
    cdef bint last = False
    cdef Py_ssize_t turn
    for turn in range(100):
        tempered_powers(fall, n, shift, tail, depth, p, s)
        at_top = p[top]
        p[top] = 0.0
        rest = <real>row_sum(p, n)
        p[top] = at_top
        if last:
            break
        excess = rest + expm1(-depth[top])
        growth = log1p(excess)
        if tail > 0.0:
            growth = expm1(tail * growth) / tail
        step = (1.0 + excess) * growth / <real>row_sum(s, n)
        base = 1.0 + tail * shift
        last = not (1.0 + tail) * (step / base) * (step / base) > 1.4e-17
        shift = larger(shift + step, 0.0)
    if rest < 0.5:
        p[top] = 1.0 - rest
        depth[top] = -log1p(-rest)
    return rest


cdef inline real power_logarithm(real order, real x) noexcept nogil:
    # (e^(order x) - 1) / order
    return x if order == 0.0 else expm1(order * x) / order


cdef inline real tempered_divergence(real p, real depth, real goal, real order) noexcept nogil:
    # The integral of (goal - r) r^(order - 1) from p = exp(-depth) to goal, which is not negative: with
    # x = log(p / goal) and L the logarithm above goal^(order + 1) (L(order + 1, x) - L(order, x)).
    # About 0 the difference is a series in x^n / n!, with sums of powers of both orders.
    cdef real above = 1.0 + order
    cdef real log_goal, x, term, factor, power, total
    cdef Py_ssize_t n
    if not goal > 0.0:
        return exp_nonpositive(-above * depth) / above
    log_goal = log(goal)
    x = -depth - log_goal
    if x > 0.5:
        return exp_nonpositive(-order * depth) * (
            goal * power_logarithm(order, -x) - p * power_logarithm(above, -x))
    if fabs(x) <= 0.5:
        total = 0.0
        factor = 1.0
        power = 1.0
        term = 0.5 * x * x
        for n in range(3, 24):
            total += factor * term
            power *= order
            factor = above * factor + power
            term *= x / <real>n
    else:
        total = power_logarithm(above, x) - power_logarithm(order, x)
    return exp(above * log_goal) * total


cdef inline void tempered_loss(const ClassTile* tile, double t1, double t2, real* value,
                               real* gradient, real* spread, real* bend) noexcept nogil:
    # In double for either type. Of the divergence's slopes f_k = (P_k - y_k) P_k^-t1 with respect to P
    # the gradient is s (f - q.f), with s = P^t2 and q = s / sum s, and
    #   bend  (1 + t2 - t1) s P^(t2 - t1) - (t2 - t1) y P^(2 t2 - t1 - 1) - t2 q.f s P^(t2 - 1)
    # The slope of a class with most of the share is taken from all, lest they cancel.
    cdef const real* z = <const real*>tile.logits
    cdef const real* target = <const real*>tile.probabilities
    cdef Py_ssize_t classes = tile.classes
    cdef double* fall = line_of_doubles(scratch_row(tile, 2))
    cdef double* depth = fall + classes
    cdef double* p = depth + classes
    cdef double* s = p + classes
    cdef real* goal = bend
    cdef real keep = 1 - tile.smoothing
    cdef real share = tile.smoothing / classes
    cdef real m = row_maximum(z, classes)
    cdef double tail = t2 - 1
    cdef double order = 1 - t1
    cdef double gap = t2 - t1
    cdef double rest, total, lead, origin, mean, reach
    cdef Py_ssize_t k, top = 0
    while top < classes - 1 and z[top] != m:
        top += 1
    for k in range(classes):
        fall[k] = <double>m - <double>z[k]
    rest = tempered_softmax_f64(fall, classes, top, tail, depth, p, s)
    for k in range(classes):
        goal[k] = label_mass(target, keep, share, NULL, NULL, k)
    total = no_number(z, classes)
    if target == NULL:
        goal[tile.row_label] += keep
    else:
        total += no_number(target, classes)
    if target == NULL and share == 0:
        for k in range(classes):
            fall[k] = exp_nonpositive_f64(-(1 + order) * depth[k]) / (1 + order)
        k = tile.row_label
        fall[k] = tempered_divergence_f64(p[k], depth[k], 1, order)
    else:
        for k in range(classes):
            fall[k] = tempered_divergence_f64(p[k], depth[k], goal[k], order)
    value[0] = <real>(total + row_sum_f64(fall, classes))
    if tile.gradient == NULL:
        return
    total = row_sum_f64(s, classes)
    origin = 0
    if 2 * s[top] > total:
        lead = (1 - <double>goal[top]) - rest if p[top] > 0.5 else p[top] - goal[top]
        origin = lead * exp_f64(t1 * depth[top])
    for k in range(classes):
        # Of an infinite logit too the power 0 is 1.
        reach = 1e300 if depth[k] > 1e300 else depth[k]
        depth[k] = exp_nonpositive_f64(-gap * reach)
        fall[k] = (p[k] - goal[k]) * depth[k] - s[k] * origin
        p[k] = exp_nonpositive_f64(-tail * reach)
    if 2 * s[top] > total:
        fall[top] = 0
    mean = row_sum_f64(fall, classes) / total
    for k in range(classes):
        gradient[k] = <real>(fall[k] - s[k] * mean)
        spread[k] = <real>s[k]
        bend[k] = <real>(s[k] * ((1 + gap) * depth[k] - t2 * (origin + mean) * p[k])
                         - gap * goal[k] * depth[k] * p[k])
