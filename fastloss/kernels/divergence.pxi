# Formulas of fastloss.losses.divergence. Those of p and q give the term of one class, the pull, which
# is p times its derivative with respect to p, and the bend, p times the pull's derivative. A multiple
# of p added to both changes nothing, since all p sum to 1. `complement` is 1 - p without cancellation, and
# 0 log 0 = 0 throughout.


cdef inline void kl_divergence(real prediction, real target,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    value[0] = product(target, log(target) - prediction)
    gradient[0] = -target
    hessian[0] = 0.0


cdef inline void kl_divergence_log_target(real prediction, real target,
                                          real* value, real* gradient,
                                          real* hessian) noexcept nogil:
    cdef real q = exp(target)
    value[0] = product(q, target - prediction)
    gradient[0] = -q
    hessian[0] = 0.0


cdef inline void distillation(real p, real complement, real q, real log_p, real log_q,
                              real* value, real* pull, real* bend) noexcept nogil:
    value[0] = product(q, log_q - log_p)
    pull[0] = -q
    bend[0] = 0.0


cdef inline void reverse_kl_divergence(real p, real complement, real q, real log_p, real log_q,
                                       real* value, real* pull, real* bend) noexcept nogil:
    value[0] = product(p, log_p - log_q)
    pull[0] = value[0]
    bend[0] = value[0] + p


cdef inline void jensen_shannon(real p, real complement, real q, real log_p, real log_q, double beta,
                                real* value, real* pull, real* bend) noexcept nogil:
    # With m = beta q + (1 - beta) p, s the distance of the logarithms of p and q, and the weights v of
    # the larger one and w = 1 - v of the smaller, the logarithms of larger / m and of smaller / m are
    #   -log1p(w expm1(-s))  and  -log1p(v expm1(s)),
    # s apart. The one that a small weight makes small is taken, and the other is s away from it. Where
    # v is small and v expm1(s) is not, m / larger = v + w exp(-s) is far from 1, and has a logarithm
    # that loses nothing. The bend of a class that is next to nothing beside its target is the same in
    # y = v expm1(s), put such that only its natural zero is left of what cancels.
    cdef real of_target = beta
    cdef real of_prediction = 1.0 - beta
    cdef real scale = beta * (1.0 - beta)
    cdef real distance = log_q - log_p
    cdef real size = fabs(distance)
    cdef bint below = distance > 0.0
    cdef real v = of_target if below else of_prediction
    cdef real w = of_prediction if below else of_target
    cdef real e = exp_nonpositive(-size)
    cdef real rise = -expm1_nonpositive(-size)
    cdef real mixture = multiply_add(w, e, v)
    cdef real ratio = v * rise
    cdef bint heavy = v >= 0.5
    cdef bint direct = (v < 0.5) & (ratio < e)
    cdef real x = (ratio if direct else mixture) / (e if direct else 1.0)
    cdef real inverse = 1.0 / mixture
    cdef real logarithm = -log_of_sum(1.0 if heavy | direct else 0.0, -w * rise if heavy else x)
    cdef real small = logarithm if direct else logarithm - size
    cdef real large = logarithm + size if direct else logarithm
    pull[0] = of_prediction * product(p, small if below else large)
    value[0] = of_target * product(q, large if below else small) + pull[0]
    cdef real curve = multiply_add(v - x * x, e * inverse, log1p_deficit(x))
    cdef real rest = pull[0] + scale * product(p if below else q, inverse)
    bend[0] = of_prediction * product(p, curve) if direct & below else rest


cdef inline void total_variation(real p, real complement, real q, real log_p, real log_q,
                                 real* value, real* pull, real* bend) noexcept nogil:
    cdef real difference = p - q if p < 0.5 else (1.0 - q) - complement
    value[0] = 0.5 * fabs(difference)
    pull[0] = 0.5 * p * sign_of(difference)
    bend[0] = pull[0]


cdef inline void multiclass_brier(real p, real complement, real q, real log_p, real log_q,
                                  double factor,
                                  real* value, real* pull, real* bend) noexcept nogil:
    cdef real difference = p - q if p < 0.5 else (1.0 - q) - complement
    cdef real slope = 2.0 * factor
    value[0] = <real>factor * (difference * difference)
    pull[0] = slope * p * difference
    bend[0] = pull[0] + slope * (p * p)
