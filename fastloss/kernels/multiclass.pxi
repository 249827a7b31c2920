# Formulas of fastloss.losses.multiclass: functions of p, the probability that a softmax gives to
# the target's class. A formula names the value f(p), the pull -p f'(p), which is what the gradient
# (P - one_hot) is multiplied by, and the derivative of the pull, p times. `log_p` and `complement`
# (1 - p) come from the logits without cancellation.


cdef inline void cross_entropy(real p, real log_p, real complement,
                               real* value, real* pull, real* pull_slope) noexcept nogil:
    value[0] = -log_p
    pull[0] = 1.0
    pull_slope[0] = 0.0
