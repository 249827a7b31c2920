# Formulas of fastloss.losses.margin: of whole rows, and of two predictions. The sums over classes of a
# binary loss have theirs in binary.pxi.


cdef inline void crammer_singer(const ClassTile* tile, double margin, double floor,
                                real* value, real* gradient, real* spread,
                                real* bend) noexcept nogil:
    rival_margin(tile, margin, floor, value, gradient)


cdef inline void multilabel_margin(const ClassTile* tile,
                                   real* value, real* gradient, real* spread,
                                   real* bend) noexcept nogil:
    multilabel_margin_loss(tile, value, gradient)


cdef inline void multiclass_sparsemax(const ClassTile* tile,
                                      real* value, real* gradient, real* spread,
                                      real* bend) noexcept nogil:
    entmax_loss(tile, False, value, gradient, spread, bend)


cdef inline void entmax15(const ClassTile* tile,
                          real* value, real* gradient, real* spread,
                          real* bend) noexcept nogil:
    entmax_loss(tile, True, value, gradient, spread, bend)


cdef inline void margin_ranking(real first, real second, real target, real margin, real scale,
                                real shift,
                                real* value, real* first_gradient, real* second_gradient,
                                real* first_hessian, real* second_hessian,
                                real* cross_hessian) noexcept nogil:
    # What the rounding of the difference drops decides where nothing else is left of the slack.
    cdef real y = multiply_add(target, scale, shift)
    cdef real lead = first - second
    cdef real part = lead - first
    cdef real rest = (first - (lead - part)) - (second + part)
    cdef real finite_rest = rest if rest == rest else 0.0
    cdef real slack = positive_part((margin - margin_of(y, lead)) - y * finite_rest)
    cdef real pull = y if slack > 0.0 else slack
    value[0] = slack
    first_gradient[0] = -pull
    second_gradient[0] = pull
    first_hessian[0] = 0.0
    second_hessian[0] = 0.0
    cross_hessian[0] = 0.0
