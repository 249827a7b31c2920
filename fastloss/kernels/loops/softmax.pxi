# The passes around a softmax formula, expanded for each (formula, dtype): value, gradient and
# Hessian diagonal of f(p), p = softmax(z)[label], for labels. With g = -p f'(p) the pull:
#   gradient  g (P - one_hot)
#   Hessian   g P (1 - P) - p g'(p) (P - one_hot)^2, in whole:
#             g (diag P - P P^T) - p g'(p) (P - one_hot) (P - one_hot)^T
# Label smoothing spreads the share s of a label over all classes by adding
# (s / K) sum_k w_k (lse - z_k) to (1 - s) f, and a z-loss adds zeta w_y lse^2, of which
#   gradient  2 zeta w_y lse P
#   Hessian   2 zeta w_y lse (diag P - P P^T) + 2 zeta w_y P P^T

cdef void $loop_block(const ClassTile* tile) noexcept nogil:
    # LANES rows at a time, so that everything about a row stays in registers or beside them.
    cdef real* z
    cdef const real* label
    cdef const real* label_weight
    cdef const real* step
    cdef const real* share_weight = <const real*>tile.share_weight
    cdef real* value
    cdef real* hessian = <real*>tile.hessian
    cdef Py_ssize_t n = tile.rows & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t stride = tile.stride
    cdef real keep = 1 - tile.smoothing
    cdef real share = tile.smoothing / tile.classes
    cdef real share_sum = share * <real>tile.share_weight_sum
    cdef real m[LANES]
    cdef real rest[LANES]
    cdef real at_label[LANES]
    cdef double spread[LANES]
    cdef real hit[LANES]
    cdef real at_hessian[LANES]
    cdef real mass[LANES]
    cdef real mass_hessian[LANES]
    cdef real bend[LANES]
    cdef real tilt[LANES]
    cdef real inverse[LANES]
    cdef real z_loss = tile.z_loss
    cdef real v, pull, pull_slope, d, x, p, w, total, log_total, hard, kept, complement, class_
    cdef Py_ssize_t start, k, r
    $declarations
    for start in range(0, n, LANES):
        z = <real*>tile.logits + start
        label = <const real*>tile.label + start
        label_weight = <const real*>tile.label_weight + start
        step = <const real*>tile.step + start
        value = <real*>tile.value + start
        lanes_maximum(z, stride, tile.classes, m, label, at_label)
        for r in range(LANES):
            spread[r] = 0
        for k in range(tile.classes if share != 0 else 0):
            w = share if share_weight == NULL else share * share_weight[k]
            if w != 0:
                # A class without weight may be at -inf.
                for r in range(LANES):
                    spread[r] += w * (m[r] - z[k * stride + r])
        lanes_softmax(tile, start, m, rest)
        for r in range(LANES):
            d = at_label[r] - m[r]
            total = 1.0 + rest[r]
            log_total = log1p(rest[r])
            x = exp_term(d)
            inverse[r] = 1.0 / total
            p = x * inverse[r]
            complement = (rest[r] if d == 0.0 else total - x) * inverse[r]
            $formula(p, d - log_total, complement$arguments, &v, &pull, &pull_slope)
            hard = keep * label_weight[r]
            x = product(hard, v) + (share_sum * log_total + <real>spread[r])
            value[r] = x if label[r] >= 0.0 else 0.0
            kept = step[r] if label[r] >= 0.0 else 0.0
            x = hard * pull
            mass_hessian[r] = (x + share_sum) * kept
            mass[r] = mass_hessian[r] * inverse[r]
            bend[r] = hard * pull_slope * kept
            hit[r] = (share_sum * p - x * complement) * kept
            at_hessian[r] = (mass_hessian[r] * p * complement
                             - bend[r] * complement * complement)
        if z_loss != 0:
            for r in range(LANES):
                d = at_label[r] - m[r]
                log_total = m[r] + log1p(rest[r])
                x = exp_term(d)
                p = x * inverse[r]
                complement = (rest[r] if d == 0.0 else (1.0 + rest[r]) - x) * inverse[r]
                w = z_loss * label_weight[r]
                value[r] += w * log_total * log_total if label[r] >= 0.0 else 0.0
                tilt[r] = 2.0 * w * (step[r] if label[r] >= 0.0 else 0.0)
                x = tilt[r] * log_total
                mass_hessian[r] += x
                mass[r] += x * inverse[r]
                hit[r] += x * p
                at_hessian[r] += x * p * complement + tilt[r] * p * p
        if tile.gradient == NULL:
            continue
        if tile.tangent != NULL:
            lanes_hessian_product(tile, start, rest, inverse, mass_hessian, bend,
                                  NULL if z_loss == 0 else tilt)
            continue
        if z_loss != 0:
            # Of all classes but the label, which has its own.
            for r in range(LANES):
                bend[r] -= tilt[r]
        for k in range(tile.classes):
            class_ = <real>k
            w = share if share_weight == NULL else share * share_weight[k]
            if hessian != NULL:
                for r in range(LANES):
                    x = z[k * stride + r]
                    p = x * inverse[r]
                    v = (rest[r] if x == 1.0 else (1.0 + rest[r]) - x) * inverse[r]
                    x = mass_hessian[r] * p * v - bend[r] * p * p
                    hessian[k * stride + start + r] = at_hessian[r] if label[r] == class_ else x
            if w == 0:
                for r in range(LANES):
                    x = mass[r] * z[k * stride + r]
                    z[k * stride + r] = hit[r] if label[r] == class_ else x
            else:
                for r in range(LANES):
                    x = hit[r] if label[r] == class_ else mass[r] * z[k * stride + r]
                    z[k * stride + r] = x - w * step[r]
    if tile.gradient == NULL or tile.ignored == 0:
        return
    label = <const real*>tile.label
    for r in range(n):
        if label[r] < 0:
            # An exact zero, whatever the logits of an ignored row are.
            for k in range(tile.classes):
                (<real*>tile.logits)[k * stride + r] = 0.0
                if hessian != NULL:
                    hessian[k * stride + r] = 0.0


cdef void $loop_row(const ClassTile* tile) noexcept nogil:
    # One row with its classes side by side: maximum, exponentials, and when a gradient is wanted
    # they are kept in scratch and scaled on their way out, so memory is read once and written once.
    cdef const real* z = <const real*>tile.logits
    cdef const real* e = <const real*>tile.exponentials
    cdef const real* share_weight = <const real*>tile.share_weight
    cdef real step = (<const real*>tile.step)[0]
    cdef real keep = 1 - tile.smoothing
    cdef real share = tile.smoothing / tile.classes
    cdef real share_sum = share * <real>tile.share_weight_sum
    cdef real hard = keep * (<const real*>tile.label_weight)[0]
    cdef Py_ssize_t label = tile.row_label
    cdef real v, pull, pull_slope, d, x, p, m, rest, total, inverse, complement, log_total, mass
    cdef real hit, bend, at_hessian, lse
    cdef real tilt = 0.0
    cdef double share_total
    cdef real tile_out[TILE]
    cdef real* target
    cdef Py_ssize_t start, n
    $declarations
    softmax_row(tile, &m, &rest)
    total = 1.0 + rest
    inverse = 1.0 / total
    d = z[label] - m
    x = exp_term(d)
    p = x * inverse
    complement = (rest if d == 0.0 else total - x) * inverse
    log_total = log1p(rest)
    $formula(p, d - log_total, complement$arguments, &v, &pull, &pull_slope)
    x = product(hard, v)
    if share != 0:
        x += share_sum * log_total + <real>row_spread(
            z, NULL, tile.classes, m, keep, share, NULL, share_weight, &share_total)
    if tile.z_loss != 0:
        tilt = <real>tile.z_loss * (<const real*>tile.label_weight)[0]
        lse = m + log_total
        x += tilt * lse * lse
        share_sum += 2.0 * tilt * lse
        tilt = 2.0 * tilt * step
    (<real*>tile.value)[0] = x
    if tile.gradient == NULL:
        return
    pull = hard * pull
    mass = (pull + share_sum) * step
    bend = hard * pull_slope * step
    if tile.tangent != NULL:
        row_hessian_product(tile, label, rest, mass, bend, tilt)
        return
    if tile.packed != NULL:
        row_packed_hessian(tile, label, rest, mass, bend, tilt)
    at_hessian = mass * p * complement - bend * complement * complement + tilt * p * p
    x = share if share_weight == NULL else share * share_weight[label]
    hit = (share_sum * p - pull * complement - x) * step
    for start in range(0, tile.classes, TILE):
        n = min(<Py_ssize_t>TILE, tile.classes - start)
        if tile.hessian != NULL:
            target = &tile_out[0] if tile.stream else <real*>tile.hessian + start
            row_hessian(e + start, n, inverse, total, rest, mass, bend - tilt, target)
            if start <= label < start + n:
                target[label - start] = at_hessian
            if tile.stream:
                stream_out(<real*>tile.hessian + start, tile_out, n * sizeof(real))
        target = &tile_out[0] if tile.stream else <real*>tile.gradient + start
        row_gradient(e + start, n, mass * inverse, share * step, share_weight, target)
        if start <= label < start + n:
            target[label - start] = hit
        if tile.stream:
            stream_out(<real*>tile.gradient + start, tile_out, n * sizeof(real))
        if share_weight != NULL:
            share_weight += n
