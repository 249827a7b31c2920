# What the driver and the tile functions of every instruction-set level agree on.

cdef extern from *:
    """
    /* restrict is spelled differently everywhere, and only Cython 3.3 knows the word. */
    typedef const void *__restrict fastloss_in_array;
    typedef void *__restrict fastloss_out_array;
    """
    ctypedef const void* in_array "fastloss_in_array"
    ctypedef void* out_array "fastloss_out_array"

cdef enum:
    # The number of running sums, and what every loop's length is a multiple of: four AVX-512
    # registers of doubles.
    LANES = 32
    # Elements that a loop writes before they are streamed.
    RUN = 128
    # Elements of a tile: with three inputs and three outputs in double it just fits a 32 KiB L1.
    TILE = 512
    # Up to so many classes a row is too short to vectorise along: work across rows instead. Beyond,
    # transposing costs more than what a row has to itself.
    FEW_CLASSES = 128
    SCRATCH_ROWS = 10
    # So many additions stay in real before a sum goes on in double.
    SHORT_SUM = 32

# Rows over classes, as a softmax formula's tile function takes them: either one row whose classes
# are contiguous, or a block of `rows` rows (a multiple of LANES) with class k at k * stride. Several
# predictions for one target are a block too: the classes are the predictions, and the logits may be
# any numbers.
cdef struct ClassTile:
    Py_ssize_t rows
    Py_ssize_t classes
    Py_ssize_t stride
    void* logits                    # a block's are replaced by exponentials, and these by the gradient
    void* exponentials              # a row's, for the time being
    void* scratch                   # SCRATCH_ROWS more of them, of a formula that has rows alone
    # Of the row or block that will probably follow, to be fetched meanwhile; NULL. In bytes, from a
    # block's row to its next, and to the LANES rows of the next class.
    const char* next_logits
    Py_ssize_t next_row
    Py_ssize_t next_class
    const void* probabilities       # of the targets; NULL when there are labels
    const void* label               # per row of a block, as reals; -1: ignored. Or the target
    Py_ssize_t ignored              # how many of the block's rows are
    Py_ssize_t row_label            # the same of a single row, never ignored
    const void* label_weight        # per row, the class weight of the label
    const void* step                # per row, weight over divisor
    const void* class_weight        # per class, as reals; NULL: 1
    const void* share_weight        # the same of what smoothing gives to a class
    double share_weight_sum
    double smoothing
    double z_loss
    const double* parameters
    # A vector v, laid out as the logits are, in a block as in a row; NULL: not wanted. With it a tile
    # function writes the product of the Hessian and v, times step, where the gradient would go.
    const void* tangent
    void* value                     # per row
    void* gradient                  # NULL: not wanted; of a block, where the logits are
    void* hessian                   # NULL: not wanted
    void* packed                    # a row's Hessian, its lower triangle row by row; NULL: not wanted
    bint stream                     # a row's gradient and Hessian go past the caches

ctypedef void (*elementwise_function)(
    in_array prediction, in_array target, in_array step, const in_array* varying,
    const double* parameters, Py_ssize_t n, out_array value, out_array gradient,
    out_array hessian, double* lanes, void* gradient_home, void* hessian_home) noexcept nogil
ctypedef void (*unary_function)(in_array x, Py_ssize_t n, out_array y) noexcept nogil
ctypedef void (*sum_function)(in_array value, Py_ssize_t n, double* lanes) noexcept nogil
ctypedef void (*sum_weighted_function)(
    in_array value, in_array weight, Py_ssize_t n, double* lanes) noexcept nogil
ctypedef void (*scale_function)(in_array x, double factor, Py_ssize_t n, out_array y) noexcept nogil
ctypedef Py_ssize_t (*outside_function)(
    in_array x, Py_ssize_t n, double lower, double upper) noexcept nogil
ctypedef void (*transpose_function)(
    in_array x, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t stride, out_array y) noexcept nogil
ctypedef void (*stream_function)(
    out_array target, in_array source, Py_ssize_t bytes_) noexcept nogil
ctypedef Py_ssize_t (*check_labels_function)(
    in_array x, Py_ssize_t n, int64_t classes, int64_t ignore_index, int64_t has_ignore_index,
    out_array label, Py_ssize_t* bad) noexcept nogil
ctypedef void (*look_up_function)(
    in_array label, in_array table, Py_ssize_t n, out_array y) noexcept nogil
ctypedef void (*class_function)(const ClassTile* tile) noexcept nogil
ctypedef void (*capped_function)(
    const ClassTile* tile, class_function row, double cap) noexcept nogil
ctypedef void (*columns_function)(
    in_array x, Py_ssize_t rows, Py_ssize_t stride, Py_ssize_t n, double* sums) noexcept nogil

cdef enum:
    # Classes of a tile of a vocabulary, at most.
    COLUMNS = 2048

# One row of logits that come a tile of the vocabulary at a time: what is known of it so far, and
# later what its gradient is made of.
cdef struct LinearRow:
    Py_ssize_t columns
    Py_ssize_t first                # the class of column 0
    Py_ssize_t label
    const void* logits              # as the product left them
    const void* bias                # of these columns; NULL: 0
    const void* class_weight        # of these columns; NULL: 1
    double soft_cap                 # 0: none
    double share                    # of the mass that smoothing gives to each class
    double share_before             # to all classes before these together
    bint has_disorder
    double maximum
    double rest                     # sum of exp(z - maximum) over all classes but one maximal one
    double at_label                 # the label's logit
    double spread                   # sum of share_k (maximum - z_k)
    double disorder                 # sum of exp(z - maximum) (maximum - z)
    Py_ssize_t argmax
    double mass                     # the gradient is mass exp(z - maximum) - share_k step,
    double step
    double hit                      # and this at the label
    void* gradient                  # may be the logits' own place

ctypedef void (*linear_function)(LinearRow* row) noexcept nogil
