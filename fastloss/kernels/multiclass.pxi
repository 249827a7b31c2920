# Formulas of fastloss.losses.multiclass: functions of p, the probability that a softmax gives to
# the target's class. A formula names the value f(p), the pull -p f'(p), which is what the gradient
# (P - one_hot) is multiplied by, and the derivative of the pull, p times. `log_p` and `complement`
# (1 - p) come from the logits without cancellation. One that names prediction and target instead takes
# the logarithm itself, of the target's class alone; of a whole row, its passes are in loops/rows.pxi.


cdef inline void cross_entropy(real p, real log_p, real complement,
                               real* value, real* pull, real* pull_slope) noexcept nogil:
    value[0] = -log_p
    pull[0] = 1.0
    pull_slope[0] = 0.0


cdef inline void softmax_focal(real p, real log_p, real complement, real gamma, real alpha,
                               real* value, real* pull, real* pull_slope) noexcept nogil:
    # a u^gamma (-log p) with u = 1 - p. The ratio -log p / u, which goes to 1 with u, stands for the
    # power gamma - 1 in the pull. Below the smallest normal number u is that: what it multiplies has
    # underflowed before.
    cdef real least = smallest_normal()
    cdef bint some = complement > least
    cdef real u = complement if some else least
    cdef real ratio = (-log_p if some else least) / u
    cdef bint low = p < 0.5
    cdef real log_u = log_of_sum(1.0 if low else 0.0, -p if low else u)
    cdef real focus = alpha * exp(gamma * log_u)
    value[0] = focus * -log_p
    pull[0] = focus * (1.0 + gamma * product(p, ratio))
    pull_slope[0] = focus / u * gamma * (
        (gamma - 1.0) * -product(p, product(p, ratio)) - product(p, log_p) - 2.0 * p)


cdef inline void poly1(real p, real log_p, real complement, double epsilon,
                       real* value, real* pull, real* pull_slope) noexcept nogil:
    # 1 + epsilon p, without cancellation for a negative epsilon as well.
    cdef real rise = 0.5 * (fabs(epsilon) + epsilon)
    cdef real fall = 0.5 * (fabs(epsilon) - epsilon)
    cdef real base = 1.0 - 0.5 * (fabs(epsilon) - epsilon)
    value[0] = (rise - fall) * complement - log_p
    pull[0] = base + rise * p + fall * complement
    pull_slope[0] = (rise - fall) * p


cdef inline void generalized_cross_entropy(real p, real log_p, real complement, real q,
                                           real* value, real* pull, real* pull_slope) noexcept nogil:
    cdef real power = exp_nonpositive(q * log_p)
    value[0] = (0.0 - expm1_nonpositive(q * log_p)) / q
    pull[0] = power
    pull_slope[0] = q * power


cdef inline void softmax_absolute_error(real p, real log_p, real complement,
                                        real* value, real* pull, real* pull_slope) noexcept nogil:
    value[0] = 2.0 * complement
    pull[0] = 2.0 * p
    pull_slope[0] = 2.0 * p


cdef inline void taylor_cross_entropy(real p, real log_p, real complement, Py_ssize_t order,
                                      real* value, real* pull, real* pull_slope) noexcept nogil:
    # The pull 1 - u^n is p (1 + u + ... + u^(n-1)), where nothing cancels.
    cdef real power = 1.0
    cdef real series = 0.0
    cdef real loss = 0.0
    cdef real last = 1.0
    cdef Py_ssize_t i
    for i in range(order):
        last = power
        series += power
        power *= complement
        loss += power / (<real>i + 1.0)
    value[0] = loss
    pull[0] = p * series
    pull_slope[0] = <real>order * p * last


cdef inline void symmetric_cross_entropy(real p, real log_p, real complement, real alpha, real beta,
                                         real log_zero,
                                         real* value, real* pull, real* pull_slope) noexcept nogil:
    # The reverse -sum_k P_k log [k = y] is what the classes but y cost, at -log_zero.
    cdef real reverse = -beta * log_zero
    value[0] = reverse * complement - alpha * log_p
    pull[0] = alpha + reverse * p
    pull_slope[0] = reverse * p


cdef inline void bi_tempered_logistic(const ClassTile* tile, double t1, double t2,
                                      real* value, real* gradient, real* spread,
                                      real* bend) noexcept nogil:
    tempered_loss(tile, t1, t2, value, gradient, spread, bend)


cdef inline void negative_log_likelihood(real prediction, real target,
                                         real* value, real* gradient, real* hessian) noexcept nogil:
    value[0] = -product(target, prediction)
    gradient[0] = -target
    hessian[0] = 0.0
