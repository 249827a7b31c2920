# Formulas of fastloss.losses.margin: of whole rows. The sums over classes of a binary loss have theirs
# in binary.pxi.


cdef inline void crammer_singer(const ClassTile* tile, double margin, double floor,
                                real* value, real* gradient, real* spread) noexcept nogil:
    rival_margin(tile, margin, floor, value, gradient)


cdef inline void multilabel_margin(const ClassTile* tile,
                                   real* value, real* gradient, real* spread) noexcept nogil:
    multilabel_margin_loss(tile, value, gradient)


cdef inline void multiclass_sparsemax(const ClassTile* tile,
                                      real* value, real* gradient, real* spread) noexcept nogil:
    entmax_loss(tile, False, value, gradient, spread)


cdef inline void entmax15(const ClassTile* tile,
                          real* value, real* gradient, real* spread) noexcept nogil:
    entmax_loss(tile, True, value, gradient, spread)
