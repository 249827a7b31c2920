# A softmax formula as a divergence, expanded for each (formula, dtype): its expectation over labels that
# have the target's probabilities.

cdef inline void ${formula}_expected(real p, real complement, real goal, real log_p, real log_goal$typed,
                                     real* value, real* pull, real* bend) noexcept nogil:
    $formula(p, log_p, complement$arguments, value, pull, bend)
    value[0] = product(goal, value[0])
    pull[0] = -goal * pull[0]
    bend[0] = -goal * bend[0]
