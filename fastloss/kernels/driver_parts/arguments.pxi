# The one place that checks what a caller passes. Every error names the argument, what was expected
# and what came.

cdef object FLOAT32 = np.dtype(np.float32)
cdef object FLOAT64 = np.dtype(np.float64)


# The type number that bfloat16 was last seen with: NumPy makes a type's name in Python, which takes as
# long as a small call.
cdef int bfloat16_number = -1


cdef bint is_bfloat16(object dtype):
    # A type that the ml_dtypes package registers; recognised by name, since fastloss does not
    # depend on it.
    global bfloat16_number
    cdef int number = (<cnp.dtype>dtype).type_num
    if number == bfloat16_number:
        return True
    if number < BFLOAT16 or dtype.itemsize != 2 or dtype.kind != "V" or dtype.name != "bfloat16":
        return False
    bfloat16_number = number
    return True


cdef inline bint is_real(int number):
    # Booleans, integers and floats: NumPy's numbers are in that order, but for float16's.
    return number <= cnp.NPY_LONGDOUBLE or number == HALF


cdef inline bint is_number(cnp.ndarray array):
    return is_real(cnp.PyArray_TYPE(array)) or is_bfloat16(array.dtype)


cdef cnp.ndarray as_array(str name, object value):
    # An ndarray of real numbers, without a copy wherever the object has one to offer.
    cdef cnp.ndarray array
    if type(value) is np.ndarray:
        array = value
    elif isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be a plain array, got a masked array; give the mask as a weight of 0"
        )
    elif isinstance(value, np.ndarray):
        array = value.view(np.ndarray)
    else:
        try:
            if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
                array = np.from_dlpack(value)
            else:
                array = np.asarray(value)
        except Exception as error:
            raise TypeError(
                f"{name} must be an array of real numbers, got {type(value).__name__}: {error}"
            ) from error
    if not is_number(array):
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array


cdef inline int source_of(cnp.ndarray array):
    cdef int number = cnp.PyArray_TYPE(array)
    return number if number < BFLOAT16 else BFLOAT16


cdef inline bint is_plain(cnp.ndarray array):
    # C contiguous, aligned and native: PyArray_ISCARRAY_RO.
    return cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED) \
        and cnp.PyArray_ISNOTSWAPPED(array)


cdef inline bint same_shape(cnp.ndarray a, cnp.ndarray b):
    cdef int ndim = cnp.PyArray_NDIM(a)
    return ndim == cnp.PyArray_NDIM(b) and (ndim == 0 or memcmp(
        cnp.PyArray_DIMS(a), cnp.PyArray_DIMS(b), ndim * sizeof(Py_ssize_t)) == 0)


cdef tuple shape_of(cnp.ndarray array):
    return (<object>array).shape


cdef object result_dtype(cnp.ndarray prediction):
    # Gradients have the prediction's type; whole numbers are computed and answered in float64.
    cdef int number = cnp.PyArray_TYPE(prediction)
    if number == cnp.NPY_FLOAT:
        return FLOAT32
    if number <= cnp.NPY_DOUBLE:
        return FLOAT64
    dtype = prediction.dtype
    if dtype.kind == "f" and dtype.itemsize > 8:
        raise TypeError(
            f"prediction must be float16, bfloat16, float32 or float64, got dtype {dtype}"
        )
    return dtype.newbyteorder("=")


cdef void set_operand(Operand* operand, cnp.ndarray array):
    operand.data = <char*>cnp.PyArray_DATA(array)
    operand.size = cnp.PyArray_ITEMSIZE(array)
    operand.source = source_of(array)
    operand.swapped = not cnp.PyArray_ISNOTSWAPPED(array)


cdef void finish_operand(Job* job, Operand* operand, int real_type, cnp.ndarray array):
    operand.plain = (operand.source == real_type and not operand.swapped
                     and cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_ALIGNED))
    operand.direct = operand.plain and is_one_run(job, operand)


cdef bint is_one_run(const Job* job, const Operand* operand):
    # Whether elements that follow each other in the job's order do so in memory.
    cdef Py_ssize_t reach = operand.size
    cdef int axis
    for axis in range(job.ndim - 1, -1, -1):
        if job.shape[axis] > 1:
            if operand.strides[axis] != reach:
                return False
            reach *= job.shape[axis]
    return True


cdef void merge_axes(Job* job, bint reorder):
    # Fewest axes over which every operand still moves by one stride. With `reorder`, the
    # prediction's own memory order comes first: a Fortran array is then as contiguous as any.
    cdef Py_ssize_t shape, stride
    cdef int i, j, k, axis = 0
    if reorder:
        for i in range(1, job.ndim):
            j = i
            while j > 0 and abs(job.operands[PREDICTION].strides[j - 1]) < abs(
                    job.operands[PREDICTION].strides[j]) and job.shape[j] > 1:
                job.shape[j], job.shape[j - 1] = job.shape[j - 1], job.shape[j]
                for k in range(OPERANDS):
                    if job.operands[k].data != NULL:
                        stride = job.operands[k].strides[j]
                        job.operands[k].strides[j] = job.operands[k].strides[j - 1]
                        job.operands[k].strides[j - 1] = stride
                j -= 1
    for i in range(job.ndim):
        shape = job.shape[i]
        if shape == 1:
            continue
        mergeable = axis > 0
        if mergeable:
            for k in range(OPERANDS):
                if job.operands[k].data != NULL and (
                        job.operands[k].strides[axis - 1] != job.operands[k].strides[i] * shape):
                    mergeable = False
                    break
        if mergeable:
            job.shape[axis - 1] *= shape
            axis -= 1
        else:
            job.shape[axis] = shape
        for k in range(OPERANDS):
            job.operands[k].strides[axis] = job.operands[k].strides[i]
        axis += 1
    if axis == 0:
        job.shape[0] = 1
        for k in range(OPERANDS):
            job.operands[k].strides[0] = job.operands[k].size
        axis = 1
    job.ndim = axis


cdef cnp.ndarray output_array(str name, object out, tuple shape, object dtype):
    # An output as the caller gave it, checked.
    cdef cnp.ndarray array
    if type(out) is not np_ndarray and (
            not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray)):
        raise TypeError(f"{name} must be a NumPy array, got {type(out).__name__}")
    array = out
    if array.dtype is not dtype and array.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, got {array.dtype}")
    if shape_of(array) != shape:
        raise ValueError(f"{name} must have shape {shape}, got {shape_of(array)}")
    if not cnp.PyArray_ISWRITEABLE(array):
        raise ValueError(f"{name} must be writeable, got a read-only array")
    if not is_one_segment(array):
        # Elements that share memory would be written more than once.
        reach = array.itemsize
        for stride, size in sorted(zip(map(abs, out.strides), out.shape)):
            if size > 1:
                if stride < reach:
                    raise ValueError(f"{name} must not overlap itself, got strides {out.strides}")
                reach += stride * (size - 1)
    return array


cdef inline bint is_one_segment(cnp.ndarray array):
    return (cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_C_CONTIGUOUS)
            or cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_F_CONTIGUOUS))


cdef void memory_of(cnp.ndarray array, char** start, char** stop):
    # The bytes between an array's first and its last, whether they are its own or not.
    cdef Py_ssize_t reach
    cdef int i
    start[0] = <char*>cnp.PyArray_DATA(array)
    stop[0] = start[0] + cnp.PyArray_ITEMSIZE(array)
    for i in range(cnp.PyArray_NDIM(array)):
        reach = (cnp.PyArray_DIM(array, i) - 1) * cnp.PyArray_STRIDE(array, i)
        if reach > 0:
            stop[0] += reach
        else:
            start[0] += reach


cdef bint overlap(cnp.ndarray a, cnp.ndarray b):
    cdef char* a_start
    cdef char* a_stop
    cdef char* b_start
    cdef char* b_stop
    memory_of(a, &a_start, &a_stop)
    memory_of(b, &b_start, &b_stop)
    if (cnp.PyArray_SIZE(a) == 0 or cnp.PyArray_SIZE(b) == 0 or a_stop <= b_start
            or b_stop <= a_start):
        return False
    if is_one_segment(a) and is_one_segment(b):
        return True
    try:
        return np.shares_memory(a, b, max_work=100_000)
    except np.exceptions.TooHardError:
        return True


cdef bint check_overlap(str name, cnp.ndarray out, list inputs):
    # True when out is the prediction itself, element for element; any other overlap is an error.
    cdef bint in_place = False
    cdef cnp.ndarray other
    for other_name, other in inputs:
        if not overlap(out, other):
            continue
        if (other_name == "prediction" and other.dtype == out.dtype
                and cnp.PyArray_DATA(other) == cnp.PyArray_DATA(out)
                and (<object>other).strides == (<object>out).strides):
            in_place = True
            continue
        raise ValueError(
            f"{name} must not share memory with {other_name}"
            + (" except as the very same array" if other_name == "prediction" else "")
        )
    return in_place


cdef double check_denominator(object denominator, int reduction) except? -1:
    cdef double value
    if reduction != MEAN:
        raise ValueError("denominator replaces the divisor of reduction='mean' and goes with no other")
    try:
        if isinstance(denominator, (bool, np.bool_)):
            raise TypeError
        value = denominator
    except TypeError:
        raise TypeError(
            f"denominator must be a number, got {type(denominator).__name__}"
        ) from None
    except OverflowError:
        raise ValueError("denominator must be positive and finite, as a float is") from None
    if not (isfinite(value) and value > 0):
        raise ValueError(f"denominator must be positive and finite, got {denominator}")
    return value


cdef int check_threads(object n_threads) except -1:
    number = n_threads
    if type(n_threads) is not int:
        if isinstance(n_threads, bool) or not hasattr(n_threads, "__index__"):
            raise TypeError(f"n_threads must be a positive integer, got {n_threads!r}")
        number = int(n_threads.__index__())
    if number < 1:
        raise ValueError(f"n_threads must be a positive integer, got {number}")
    return min(number, 2**31 - 1)
