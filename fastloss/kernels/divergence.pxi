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
    # With m = beta q + (1 - beta) p, whichever of p and q is the larger one: the logarithm of larger/m
    # is -log1p(w expm1(-s)) with s the distance of their logarithms and w the weight of the smaller.
    cdef real of_target = beta
    cdef real of_prediction = 1.0 - beta
    cdef real distance = log_q - log_p
    cdef real size = fabs(distance)
    cdef bint below = distance > 0.0
    cdef real drop = (of_prediction if below else of_target) * expm1(-size)
    cdef real large = -log1p(drop)
    cdef real small = large - size
    cdef real log_ratio = small if below else large
    cdef real log_target_ratio = large if below else small
    cdef real scale = of_target * of_prediction
    pull[0] = of_prediction * product(p, log_ratio)
    value[0] = of_target * product(q, log_target_ratio) + pull[0]
    bend[0] = pull[0] + scale * product(p if below else q, 1.0 / (1.0 + drop))


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
