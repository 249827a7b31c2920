# Labels as int64: of any integer type through the loops of convert.pxi, of a floating type through
# doubles, in which every class number is exact.


cdef void whole_labels(in_array x_, Py_ssize_t n, out_array label_) noexcept nogil:
    # What is no whole number becomes the least one, which is neither a class nor an ignore_index.
    cdef const double* x = <const double*>x_
    cdef int64_t* label = <int64_t*>label_
    cdef double inside
    cdef int64_t whole
    cdef Py_ssize_t i
    for i in range(n):
        inside = x[i] if x[i] >= -9007199254740992.0 and x[i] <= 9007199254740992.0 else 0.0
        whole = <int64_t>inside
        label[i] = whole if <double>whole == x[i] else INT64_MIN


cdef Py_ssize_t check_labels(in_array x_, Py_ssize_t n, int64_t classes, int64_t ignore_index,
                             int64_t has_ignore_index, out_array label_,
                             Py_ssize_t* bad) noexcept nogil:
    # -1 for a row that is ignored and for a label that is no class. Returns how many rows are kept;
    # `bad` grows by the number of labels that are neither.
    cdef const int64_t* x = <const int64_t*>x_
    cdef int64_t* label = <int64_t*>label_
    cdef int64_t good, ignored
    cdef int64_t kept = 0
    cdef int64_t neither = 0
    cdef Py_ssize_t i
    for i in range(n):
        ignored = (x[i] == ignore_index) & has_ignore_index
        good = (x[i] >= 0) & (x[i] < classes) & (ignored ^ 1)
        label[i] = x[i] if good else -1
        kept += good
        neither += (good | ignored) ^ 1
    bad[0] += neither
    return kept
