# The compiled base of every loss: its parameters as numbers, its tile functions, and the calls.

cdef enum:
    SUM, MEAN, NONE

cdef enum:
    MODE_VALUE, MODE_GRADIENT, MODE_VALUE_GRADIENT, MODE_GRADIENT_HESSIAN, MODE_ALL
    MODES
    MAX_PARAMETERS = 32

cdef enum:
    # As in expand.py's LOOPS. For a loss over classes: of a block, of a row.
    VALUE_LOOP, VALUE_GRADIENT_LOOP, GRADIENT_HESSIAN_LOOP
    LOOPS
    NO_LOOP = -1
    MOST_LOOPS = 4
    BLOCK_FUNCTION = 0, ROW_FUNCTION, SOFT_ROW_FUNCTION

cdef bint[MODES] HAS_VALUE = [True, False, True, False, True]
cdef bint[MODES] HAS_GRADIENT = [False, True, True, True, True]
cdef bint[MODES] HAS_HESSIAN = [False, False, False, True, True]
cdef int[MODES] VALUE_LOOP_OF = [VALUE_LOOP, NO_LOOP, NO_LOOP, NO_LOOP, VALUE_LOOP]
cdef int[MODES] DERIVATIVE_LOOP_OF = [
    NO_LOOP, GRADIENT_HESSIAN_LOOP, VALUE_GRADIENT_LOOP, GRADIENT_HESSIAN_LOOP, GRADIENT_HESSIAN_LOOP]
# As in expand.py's PAIR_LOOPS.
cdef int[MODES] PAIR_LOOP_OF = [0, 1, 1, 2, 2]
cdef enum:
    PAIR_PRODUCT_LOOP = 3


cdef class Level:
    """The tile functions of one instruction-set level."""

    cdef Tools tools[2]
    cdef readonly dict addresses
    cdef readonly str name
    cdef readonly dict formulas
    cdef readonly dict vocabulary

    def __init__(self, str name, formulas, tools, vocabulary):
        self.name = name
        self.formulas = formulas
        self.vocabulary = vocabulary
        self.addresses = tools
        memset(self.tools, 0, sizeof(self.tools))
        for real, suffix in enumerate(("f32", "f64")):
            self.fill(real, tools[suffix], tools["labels"])

    cdef fill(self, int real, dict addresses, dict label_addresses):
        cdef Tools* tools = &self.tools[real]
        floats = {HALF: "half", cnp.NPY_FLOAT: "float32", cnp.NPY_DOUBLE: "float64",
                  cnp.NPY_LONGDOUBLE: "longdouble"}
        for number in range(BFLOAT16):
            dtype = cnp.PyArray_DescrFromType(number)
            key = floats.get(number)
            if dtype.kind == "b":
                key = "uint8"
            elif dtype.kind in "iu":
                # C's long and long long are one NumPy type by two numbers.
                key = ("int" if dtype.kind == "i" else "uint") + str(8 * dtype.itemsize)
            if key is not None:
                tools.load[number] = <unary_function><size_t>addresses[f"{key}_in"]
                tools.label[number] = <unary_function><size_t>label_addresses.get(f"{key}_label", 0)
        tools.load[BFLOAT16] = <unary_function><size_t>addresses["bfloat_in"]
        tools.store_half = <unary_function><size_t>addresses.get("half_out", 0)
        tools.store_bfloat = <unary_function><size_t>addresses.get("bfloat_out", 0)
        tools.sum = <sum_function><size_t>addresses["sum_tile"]
        tools.sum_weighted = <sum_weighted_function><size_t>addresses["sum_weighted_tile"]
        tools.scale = <scale_function><size_t>addresses["scale_tile"]
        tools.multiply = <unary_function><size_t>addresses["multiply_tile"]
        tools.outside = <outside_function><size_t>addresses["outside_tile"]
        tools.whole_labels = <unary_function><size_t>label_addresses["whole_labels"]
        tools.check_labels = <check_labels_function><size_t>label_addresses["check_labels"]
        tools.look_up = <look_up_function><size_t>addresses["look_up_tile"]
        tools.stream = <stream_function><size_t>addresses["stream_tile"]
        tools.transpose_in = <transpose_function><size_t>addresses["transpose_in"]
        tools.transpose_out = <transpose_function><size_t>addresses["transpose_out"]
        tools.soft_block = <class_function><size_t>addresses["soft_targets_block"]
        tools.soft_row = <class_function><size_t>addresses["soft_targets_row"]
        tools.capped_row = <capped_function><size_t>addresses["capped_row_tile"]

    def word(self, str name, x):
        """Return a word of the formulas' vocabulary, applied to a float32 or float64 array."""
        x = np.asarray(x)
        if x.dtype not in (np.float32, np.float64):
            raise TypeError(f"x must be float32 or float64, got {x.dtype}")
        cdef Py_ssize_t n = x.size
        cdef cnp.ndarray padded = np.zeros(round_up(n), x.dtype)
        cdef cnp.ndarray y = np.empty_like(padded)
        cdef unary_function function
        padded[:n] = x.ravel()
        function = <unary_function><size_t>self.vocabulary[name]["f32" if x.itemsize == 4 else "f64"]
        with nogil:
            function(cnp.PyArray_DATA(padded), round_up(n), cnp.PyArray_DATA(y))
        return y[:n].reshape(x.shape)


class OutOfRange(Exception):
    """Raised within the driver when a label or a probability is none; where to begin to look."""


cdef struct Result:
    double total
    double weight
    double divisor
    Py_ssize_t count


# Seconds per element of the passes before a gradient; a guess is good enough for their threads.
cdef double WEIGHT_COST = 1e-10
cdef double LABEL_COST = 1e-9


cdef void plain_operand(Operand* operand, cnp.ndarray array, int real):
    set_operand(operand, array)
    operand.plain = operand.source == real
    operand.direct = operand.plain
    operand.strides[0] = operand.size


cdef void fill(double* tile, double x, Py_ssize_t n, int real) noexcept nogil:
    # Copies of copies: memcpy is vectorised for the machine, and this module is not.
    cdef Py_ssize_t size = sizeof(double) if real else sizeof(float)
    cdef Py_ssize_t i, known = min(n, <Py_ssize_t>LANES)
    for i in range(known):
        if real == 0:
            (<float*>tile)[i] = <float>x
        else:
            tile[i] = x
    while known < n:
        memcpy(<char*>tile + known * size, tile, min(known, n - known) * size)
        known *= 2


cdef cnp.ndarray as_floats(cnp.ndarray numbers):
    # What float32 cannot hold is infinite there, and known to be.
    with np.errstate(all="ignore"):
        return (<object>numbers).astype(np.float32)


REDUCTION_CODES = {"sum": SUM, "mean": MEAN, "none": NONE}


cdef int reduction_code(object reduction) except -1:
    try:
        return REDUCTION_CODES[reduction]
    except (KeyError, TypeError):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}") from None


cdef extern from *:
    """
    static int fastloss_raise_pending(void) { return PyErr_Occurred() ? -1 : 0; }
    """
    int raise_pending "fastloss_raise_pending"() except -1
    PyObject* PyErr_Occurred() nogil
    PyObject* PyObject_CallFunction(PyObject* function, const char* kinds, ...) nogil
    void Py_XDECREF(PyObject* found) nogil


cdef void python_tile(const void* prediction, const void* target, const void* step,
                      const void* const* varying, const double* parameters, Py_ssize_t n, void* value,
                      void* gradient, void* hessian, double* lanes, void* gradient_home,
                      void* hessian_home) noexcept nogil:
    # A tile of a loss that is a function in Python, under the interpreter's lock, which the call has
    # kept. An exception stays raised until the driver asks, whatever raised it and wherever: an
    # interrupt before the first line of the function is not lost. No other tile is computed then.
    cdef PyObject* done
    if PyErr_Occurred() != NULL:
        return
    done = PyObject_CallFunction((<PyObject**>parameters)[0], b"nnnnnnnn",
                                 <Py_ssize_t>parameters[1], <Py_ssize_t>prediction,
                                 <Py_ssize_t>target, <Py_ssize_t>step, n, <Py_ssize_t>value,
                                 <Py_ssize_t>gradient, <Py_ssize_t>hessian)
    Py_XDECREF(done)


cdef class Loss:
    """What every loss shares; see :class:`fastloss.losses.base.Loss` for its public face."""

    cdef Level level
    cdef object entry               # keeps the tile functions alive
    cdef object function            # a tile function in Python; None
    cdef bint elementwise           # has an elementwise formula
    cdef bint single                # has one tile function, which stores what it has a place for
    cdef bint wide                  # computes in double whatever the prediction's type
    cdef bint classes               # takes rows of classes, or of several predictions
    cdef tuple predictions          # the names of several predictions for one number; else ()
    cdef tuple domains              # of each of them: (lower, upper), or None
    cdef bint has_block             # a formula of several rows at a time
    cdef bint takes_numbers         # as target,
    cdef bint takes_labels
    cdef bint takes_rows            # of the prediction's shape,
    cdef bint takes_label_lists     # of that shape too: labels, up to the first -1
    cdef bint offset
    cdef int relation
    cdef bint mean_over_classes
    cdef double negative
    cdef int reduction_
    cdef void* functions[2][MOST_LOOPS]
    cdef double parameters[2][MAX_PARAMETERS]
    cdef int n_varying
    cdef double varying[MAX_VARYING]
    cdef list varying_tiles         # by real: a tile of each that is one number
    cdef list varying_arrays
    cdef tuple varying_names
    # Seconds per element, learnt from calls: decides how many threads one is worth, never what it
    # returns.
    cdef Cost cost[2][MODES]
    cdef Py_ssize_t axis
    cdef bint has_ignore_index
    cdef int64_t ignore_index
    cdef double smoothing
    cdef bint empty_is_zero
    cdef cnp.ndarray class_weight
    cdef cnp.ndarray class_weight_float
    cdef cnp.ndarray share_weight       # of what smoothing gives to each class
    cdef cnp.ndarray share_weight_float
    cdef double share_weight_sum
    cdef cnp.ndarray divisor_weight     # what a label counts in a mean's divisor
    cdef str class_weight_name
    cdef str share_weight_name
    cdef double z_loss
    cdef double soft_cap
    # Of prediction and target, which come first among the operands.
    cdef tuple intervals
    cdef bint[2] limited
    cdef double[2][2] lower         # by operand and real
    cdef double[2][2] upper
    cdef str output_name
    cdef Py_ssize_t outputs         # length of the last axis that the target lacks; 0: none

    def _bind(self, Level level, dict entry, int reduction, parameters, varying, bint classes,
              Py_ssize_t axis, ignore_index, double smoothing, bint empty_is_zero, class_weight,
              tuple intervals, tuple domains, str output_name, Py_ssize_t outputs, bint wide):
        """Take over checked hyper-parameters as numbers. Called once, by the constructor."""
        cdef int real, i
        self.level = level
        self.entry = entry
        self.function = entry.get("function")
        loops = entry["loops"]
        self.single = loops == ("all",)
        self.elementwise = entry["elementwise"]
        self.classes = classes
        self.has_block = "block" in loops or len(entry["predictions"]) > 1
        self.predictions = entry["predictions"] if len(entry["predictions"]) > 1 else ()
        self.domains = domains
        self.reduction_ = reduction
        if len(parameters[0]) > MAX_PARAMETERS:
            raise ValueError(
                f"a formula may have {MAX_PARAMETERS} parameters, got {len(parameters[0])}")
        for real, suffix in enumerate(("f32", "f64")):
            for i, address in enumerate(entry[suffix]):
                if loops[i] == "row":
                    i = ROW_FUNCTION
                self.functions[real][i] = <void*><size_t>address
            for i, number in enumerate(parameters[real]):
                self.parameters[real][i] = number
            if self.function is not None:
                self.functions[real][0] = <void*>python_tile
                (<void**>self.parameters[real])[0] = <void*>self.function
                self.parameters[real][1] = 8 if real else 4
        self.n_varying = len(varying)
        self.varying_names = entry["varying"]
        self.varying_arrays = [None] * len(varying)
        for i, value in enumerate(varying):
            if isinstance(value, np.ndarray):
                self.varying_arrays[i] = value
            else:
                self.varying[i] = value
        self.varying_tiles = [
            np.empty((self.n_varying, TILE), type_) for type_ in (np.float32, np.float64)]
        for real in range(2):
            for i in range(self.n_varying):
                fill(<double*>self.varying_tile(real, i), self.varying[i], TILE, real)
        self.axis = axis
        self.has_ignore_index = ignore_index is not None
        self.ignore_index = 0 if ignore_index is None else ignore_index
        self.smoothing = smoothing
        self.empty_is_zero = empty_is_zero
        if class_weight is not None:
            self.class_weight = np.ascontiguousarray(class_weight, np.float64)
            self.class_weight_float = as_floats(self.class_weight)
        self.intervals = intervals
        for i, (lower, upper) in enumerate(intervals):
            self.limited[i] = np.isfinite(lower) or np.isfinite(upper)
            for real, type_ in enumerate((np.float32, np.float64)):
                self.lower[i][real] = inward(lower, type_, np.inf)
                self.upper[i][real] = inward(upper, type_, -np.inf)
        self.output_name = output_name
        self.outputs = outputs
        self.wide = wide

    cdef inline void* varying_tile(self, int real, int i):
        return cnp.PyArray_GETPTR2(<cnp.ndarray>self.varying_tiles[real], i, 0)

    def _bind_classes(self, tuple targets, str classwise, bint mean_over_classes, double negative):
        """Take over what kinds of target there are, and what becomes of them."""
        self.takes_numbers = "numbers" in targets
        self.takes_labels = "labels" in targets
        self.takes_label_lists = "label_lists" in targets
        self.offset = "offsets" in targets
        self.takes_rows = self.takes_label_lists or self.offset or "probabilities" in targets
        self.relation = RELATION_CODES[classwise]
        self.mean_over_classes = mean_over_classes
        self.negative = negative

    def _bind_softmax(self, str name, factor, prior, double z_loss, double soft_cap):
        """Take over what multiplies each class beside its weight, and what only a softmax has."""
        self.divisor_weight = self.class_weight
        self.class_weight_name = "class_weight"
        if factor is not None:
            self.class_weight_name = name
            factor = np.array(factor)
            if self.class_weight is not None:
                factor = factor * self.class_weight
            self.class_weight = factor
            self.class_weight_float = as_floats(factor)
        self.share_weight = self.class_weight
        self.share_weight_name = self.class_weight_name
        if prior is not None:
            self.share_weight_name = "prior"
            self.share_weight = len(prior) * np.array(prior)
            if self.class_weight is not None:
                self.share_weight = self.share_weight * self.class_weight
        if self.share_weight is not None:
            self.share_weight_float = as_floats(self.share_weight)
            with np.errstate(over="ignore"):
                self.share_weight_sum = self.share_weight.sum()
        self.z_loss = z_loss
        self.soft_cap = soft_cap

    def __call__(self, prediction, target, weight=None, *, reduction=None, denominator=None,
                 out=None, n_threads=None):
        """Return the value; the same as :meth:`value`."""
        return self.run(MODE_VALUE, prediction, target, weight, reduction, denominator, out,
                        n_threads)

    def value(self, prediction, target, weight=None, *, reduction=None, denominator=None,
              out=None, n_threads=None):
        """Return the value of the loss.

        Parameters
        ----------
        prediction : array-like
            Of any real type, shape and memory layout.
        target : array-like
            Of the prediction's shape, or, for labels and for one number with several predictions,
            of that shape without the axis of classes or predictions.
        weight : array-like, optional
            Of the target's shape (for classes, one per row), or that of its leading axis.
        reduction : {"mean", "sum", "none"}, optional
            Instead of the loss's own.
        denominator : float, optional
            What a mean divides by, instead of the sum of the weights: to accumulate gradients over
            several calls, say.
        out : ndarray or tuple of ndarrays, optional
            Where results go, in the order in which they are returned (a reduced value is no array
            and has no place in it). A gradient's may be the prediction itself, which it then
            replaces; any other shared memory is an error.
        n_threads : int, optional
            At most so many threads; results do not depend on it.

        Returns
        -------
        float, or ndarray with reduction "none"
        """
        return self.run(MODE_VALUE, prediction, target, weight, reduction, denominator, out,
                        n_threads)

    def grad(self, prediction, target, weight=None, *, reduction=None, denominator=None,
             out=None, n_threads=None):
        """Return the gradient with respect to the prediction, with arguments as for :meth:`value`."""
        return self.run(MODE_GRADIENT, prediction, target, weight, reduction, denominator, out,
                        n_threads)

    def value_and_grad(self, prediction, target, weight=None, *, reduction=None, denominator=None,
                       out=None, n_threads=None):
        """Return value and gradient from one pass, with arguments as for :meth:`value`.

        Examples
        --------
        >>> import numpy as np, fastloss as fl
        >>> prediction, target = np.array([0.5, 2.0]), np.array([1.0, 1.0])
        >>> gradient = np.empty_like(prediction)
        >>> value, same = fl.SquaredError().value_and_grad(prediction, target, out=gradient)
        >>> value, gradient, same is gradient
        (0.625, array([-0.5,  1. ]), True)
        """
        return self.run(MODE_VALUE_GRADIENT, prediction, target, weight, reduction, denominator,
                        out, n_threads)

    def grad_and_hess(self, prediction, target, weight=None, *, reduction=None, denominator=None,
                      out=None, n_threads=None):
        """Return gradient and Hessian diagonal, with arguments as for :meth:`value`.

        Boosting wants them undivided: ``reduction="sum"``.
        """
        return self.run(MODE_GRADIENT_HESSIAN, prediction, target, weight, reduction, denominator,
                        out, n_threads)

    def value_grad_hess(self, prediction, target, weight=None, *, reduction=None, denominator=None,
                        out=None, n_threads=None):
        """Return value, gradient and Hessian diagonal, with arguments as for :meth:`value`."""
        return self.run(MODE_ALL, prediction, target, weight, reduction, denominator, out,
                        n_threads)

    def hvp(self, prediction, target, v, weight=None, *, reduction=None, denominator=None,
            out=None, n_threads=None):
        """Return the product of the Hessian with respect to the prediction and a vector.

        The Hessian is the whole one, not its diagonal: for a loss over classes the entries of `v`
        that belong to one row all meet.

        Parameters
        ----------
        prediction, target, weight, reduction, denominator, n_threads
            As for :meth:`value`.
        v : array-like
            Of the prediction's shape.
        out : ndarray, optional
            Where the product goes; may be the prediction, not `v`.

        Returns
        -------
        ndarray
            Of the prediction's shape and type.

        Examples
        --------
        >>> import fastloss as fl
        >>> fl.CrossEntropy(reduction="sum").hvp([[0.0, 0.0]], [1], [[1.0, 3.0]])
        array([[-0.5,  0.5]])
        """
        cdef int code = self.reduction_ if reduction is None else reduction_code(reduction)
        cdef Result result
        if v is None:
            raise TypeError("v must be an array of real numbers, got None")
        return self.compute(MODE_GRADIENT, prediction, target, weight, code, denominator, out,
                            n_threads, &result, v)

    def grad_and_packed_hess(self, prediction, target, weight=None, *, reduction=None,
                             denominator=None, out=None, n_threads=None):
        """Return the gradient and the whole Hessian of each row of classes, packed.

        For boosting with a vector in each leaf, or Newton's method: a row of K classes has K (K + 1) / 2
        different second derivatives. Losses of rows that are a sum over their classes, or of numbers,
        have none but the diagonal: :meth:`grad_and_hess`.

        Parameters
        ----------
        prediction, target, weight, reduction, denominator, n_threads
            As for :meth:`value`.
        out : tuple of ndarrays, optional
            Where the two go. The packed one shares memory with nothing else.

        Returns
        -------
        gradient : ndarray
            Of the prediction's shape and type.
        packed : ndarray
            Of the prediction's type; in place of the class axis it has, last, the lower triangle of each
            row's Hessian, row by row: the derivative by classes i >= j is entry i (i + 1) / 2 + j.

        Examples
        --------
        >>> import fastloss as fl
        >>> loss = fl.CrossEntropy(reduction="sum")
        >>> gradient, packed = loss.grad_and_packed_hess([[0.0, 0.0]], [1])
        >>> packed
        array([[ 0.25, -0.25,  0.25]])
        """
        cdef int code = self.reduction_ if reduction is None else reduction_code(reduction)
        cdef Result result
        cdef cnp.ndarray array = as_array("prediction", prediction)
        cdef tuple shape = shape_of(array)
        cdef object packed, own, dtype = result_dtype(array)
        if not self.classes or self.elementwise or self.predictions or self.relation != NO_RELATION:
            raise TypeError(
                f"{type(self).__name__} has no Hessian over classes to pack; grad_and_hess has the "
                "diagonal, and hvp products of the whole")
        axis = self.axis_of(shape)
        size = shape[axis] * (shape[axis] + 1) // 2
        shape = shape[:axis] + shape[axis + 1:] + (size,)
        if out is None:
            packed = np.empty(shape, dtype)
        else:
            if type(out) is not tuple or len(out) != 2:
                raise ValueError("out must be a tuple of two arrays, for gradient and packed Hessian")
            packed = output_array("out[1]", out[1], shape, dtype)
            for name, other in (("prediction", array), ("target", target), ("weight", weight),
                                ("out[0]", out[0])):
                if other is not None and overlap(packed, as_array(name, other)):
                    raise ValueError(f"out[1] must not share memory with {name}")
            out = out[0]
        own = packed
        real = np.dtype(np.float32 if dtype.itemsize <= 4 and not self.wide else np.float64)
        if dtype != real or not packed.flags.c_contiguous or not packed.flags.aligned:
            own = np.empty(shape, real)
        gradient = self.compute(MODE_GRADIENT, array, target, weight, code, denominator, out,
                                n_threads, &result, None, own)
        if own is not packed:
            with np.errstate(over="ignore"):
                packed[...] = own
        return gradient, packed

    def _partial(self, prediction, target, weight, n_threads):
        """Return the sums (total, weight, count)."""
        cdef Result result
        self.compute(MODE_VALUE, prediction, target, weight, SUM, None, None, n_threads, &result)
        return result.total, result.weight, result.count

    cdef object run(self, int mode, object prediction, object target, object weight,
                    object reduction, object denominator, object out, object n_threads):
        cdef int code = self.reduction_ if reduction is None else reduction_code(reduction)
        cdef Result result
        cdef object value
        outputs = self.compute(mode, prediction, target, weight, code, denominator, out, n_threads,
                               &result)
        if code == NONE or not HAS_VALUE[mode]:
            if type(outputs) is tuple and len(<tuple>outputs) == 1:
                return (<tuple>outputs)[0]
            return outputs
        if code == SUM:
            value = result.total
        elif result.divisor == 0:
            value = 0.0 if self.empty_is_zero and result.count == 0 else NAN
        else:
            value = result.total / result.divisor
        if mode == MODE_VALUE:
            return value
        if mode == MODE_VALUE_GRADIENT:
            return value, (<tuple>outputs)[0] if type(outputs) is tuple else outputs
        return (value, *outputs)

    cdef object compute(self, int mode, object prediction, object target, object weight,
                        int reduction, object denominator, object out, object n_threads,
                        Result* result, object tangent=None, cnp.ndarray packed=None):
        """Check, run, and return the output arrays: one alone, or a tuple."""
        cdef Job job
        cdef int asked = 0 if n_threads is None else check_threads(n_threads)
        cdef double divisor = 0 if denominator is None else check_denominator(denominator, reduction)
        cdef bint by_class = False
        cdef object outputs = None
        cdef list arrays = None
        if self.level is None:
            raise TypeError(f"{type(self).__name__} was made without calling its constructor")
        job.packed = NULL
        if packed is not None:
            job.packed = <char*>cnp.PyArray_DATA(packed)
            job.packed_size = cnp.PyArray_DIM(packed, cnp.PyArray_NDIM(packed) - 1) * packed.itemsize
        if tangent is None and packed is None:
            outputs = self.quick(
                &job, mode, prediction, target, weight, reduction, out, &by_class)
        if outputs is None:
            # The job knows arrays by their memory alone: what was made from lists has to live on.
            arrays = [None] * OPERANDS
            outputs = self.general(
                &job, mode, prediction, target, weight, tangent, reduction, out, &by_class, arrays)
        try:
            if by_class or job.in_place:
                # Before anything is written; else tile by tile, where it costs no pass over memory.
                if arrays is not None:
                    prediction, target = arrays[PREDICTION], arrays[TARGET]
                self.check_interval(PREDICTION, prediction, job.real_size == 8, asked)
                if job.numbers or not by_class:
                    self.check_interval(TARGET, target, job.real_size == 8, asked)
            if self.takes_label_lists:
                self.check_domain(arrays[TARGET], True, asked, -1, job.classes - 1)
            if self.domains:
                for _, array, (lower, upper), _ in self.bounded(arrays):
                    self.check_domain(array, job.real_size == 8, asked, lower, upper)
            self.execute(&job, mode, by_class, reduction, divisor, asked, result)
        except OutOfRange as error:
            # Rare, so the arrays are searched again, slowly, for what to say.
            self.explain(as_array("prediction", prediction), as_array("target", target),
                         by_class and not job.numbers, job.labels, job.label_stop,
                         job.real_size == 8, error.args[0])
        return outputs

    cdef object quick(self, Job* job, int mode, object prediction_, object target_, object weight_,
                      int reduction, object out, bint* by_class):
        # The way of small training loops: arrays as NumPy makes them, of one shape, or rows with
        # labels; at most one output. None when a call is anything else; what it means is then said
        # elsewhere.
        cdef cnp.ndarray prediction, target, weight, gradient, array
        cdef int number, real, i
        cdef char* start
        cdef char* stop
        cdef char* other
        cdef bint labels
        if (reduction == NONE or mode > MODE_VALUE_GRADIENT or type(prediction_) is not np_ndarray
                or type(target_) is not np_ndarray):
            return None
        prediction = prediction_
        target = target_
        number = cnp.PyArray_TYPE(prediction)
        if not (number == cnp.NPY_DOUBLE or number == cnp.NPY_FLOAT or number == HALF
                or number >= BFLOAT16 and is_bfloat16(prediction.dtype)):
            return None
        real = cnp.NPY_DOUBLE if number == cnp.NPY_DOUBLE or self.wide else cnp.NPY_FLOAT
        if not is_plain(prediction) or not is_plain(target):
            return None
        labels = not self.takes_numbers
        if labels:
            if (not self.takes_labels or self.takes_label_lists or (self.axis != 1 and self.axis != -1)
                    or cnp.PyArray_NDIM(prediction) != 2 or cnp.PyArray_NDIM(target) != 1
                    or cnp.PyArray_TYPE(target) > cnp.NPY_ULONGLONG
                    or cnp.PyArray_DIM(prediction, 0) != cnp.PyArray_DIM(target, 0)
                    or cnp.PyArray_DIM(target, 0) < 2 or cnp.PyArray_DIM(prediction, 1) < 1):
                return None
        elif not is_number(target) or not same_shape(prediction, target):
            return None
        for i in range(self.n_varying):
            if self.varying_arrays[i] is not None:
                return None
            job.operands[VARYING + i].data = NULL
        job.n = cnp.PyArray_SIZE(target)
        job.in_place = False
        for i in range(WEIGHT, VARYING):
            job.operands[i].data = NULL
            job.operands[i].plain = False
            job.operands[i].direct = False
        if weight_ is not None:
            if type(weight_) is not np_ndarray:
                return None
            weight = weight_
            if not is_number(weight) or not is_plain(weight) or not same_shape(target, weight):
                return None
            plain_operand(&job.operands[WEIGHT], weight, real)
        plain_operand(&job.operands[PREDICTION], prediction, real)
        plain_operand(&job.operands[TARGET], target, real)
        result = ()
        if mode == MODE_VALUE:
            if out is not None:
                return None
        elif out is None:
            before = begin_large(cnp.PyArray_NBYTES(prediction))
            try:
                gradient = cnp.PyArray_EMPTY(
                    cnp.PyArray_NDIM(prediction), cnp.PyArray_DIMS(prediction), number, 0)
            finally:
                end_large(before)
            plain_operand(&job.operands[GRADIENT], gradient, real)
            result = gradient
        else:
            if type(out) is not np_ndarray:
                return None
            gradient = out
            if (cnp.PyArray_TYPE(gradient) != number or not is_plain(gradient)
                    or not cnp.PyArray_ISWRITEABLE(gradient)
                    or not same_shape(prediction, gradient)):
                return None
            plain_operand(&job.operands[GRADIENT], gradient, real)
            start = job.operands[GRADIENT].data
            stop = start + cnp.PyArray_NBYTES(gradient)
            for i in range(WEIGHT + 1):
                other = job.operands[i].data
                if other == NULL:
                    continue
                array = prediction if i == PREDICTION else target if i == TARGET else weight
                if start < other + cnp.PyArray_NBYTES(array) and other < stop:
                    if i != PREDICTION or other != start:
                        return None
                    # The gradient takes the prediction's place: tiles of it are copied first.
                    job.in_place = True
                    job.operands[PREDICTION].direct = False
            result = out
        job.ndim = 1
        job.shape[0] = job.n
        job.classes = 1
        job.labels = labels
        job.numbers = False
        job.real_size = 4 if real == cnp.NPY_FLOAT else 8
        by_class[0] = labels
        if labels:
            job.classes = cnp.PyArray_DIM(prediction, 1)
            for i in (PREDICTION, GRADIENT):
                job.operands[i].direct = False
                job.operands[i].class_stride = job.operands[i].size
                job.operands[i].strides[0] = job.classes * job.operands[i].size
            # These are integers.
            job.operands[TARGET].plain = False
            job.operands[TARGET].direct = False
        return result

    cdef object general(self, Job* job, int mode, object prediction_, object target_,
                        object weight_, object tangent, int reduction, object out,
                        bint* by_class_, list arrays):
        """Any arrays at all: check them, find the outputs, and fill in the job."""
        cdef cnp.ndarray prediction = as_array("prediction", prediction_)
        cdef cnp.ndarray target = as_array("target", target_)
        cdef cnp.ndarray array
        cdef object dtype = result_dtype(prediction)
        cdef bint float_target = cnp.PyArray_TYPE(target) > cnp.NPY_ULONGLONG
        cdef bint by_class = self.classes
        cdef int axis = 0, i, j, k, real_type
        cdef int ndim = cnp.PyArray_NDIM(prediction)
        cdef bint has_axis
        cdef tuple shape = shape_of(prediction), rows
        cdef Operand* operand
        cdef list inputs = [("prediction", prediction), ("target", target)]
        job.real_size = 4 if dtype.itemsize <= 4 and not self.wide else 8
        real_type = cnp.NPY_FLOAT if job.real_size == 4 else cnp.NPY_DOUBLE
        if by_class and self.takes_numbers and shape_of(target) == shape:
            # A loss on probabilities is elementwise unless the prediction has a class axis more.
            by_class = False
        job.numbers = len(self.predictions) > 0
        job.labels = by_class and not job.numbers
        if by_class:
            axis = self.axis_of(shape)
            rows = shape[:axis] + shape[axis + 1:]
            if job.numbers:
                self.check_predictions(shape, axis, rows, target)
                job.labels = False
            elif self.takes_rows and shape_of(target) == shape:
                if float_target == self.takes_label_lists:
                    raise TypeError(
                        f"target of the prediction's shape {shape} must hold "
                        + ("labels of an integer" if self.takes_label_lists else
                           "probabilities of a floating")
                        + f" type, got dtype {target.dtype}"
                    )
                job.labels = False
            elif not self.takes_labels or shape_of(target) != rows:
                kinds = [f"{rows} (labels)"] if self.takes_labels else []
                if self.takes_rows:
                    kinds.append(f"{shape} (" + (
                        "labels" if self.takes_label_lists else "log-probabilities" if self.offset
                        else "probabilities") + ")")
                raise ValueError(
                    f"target must have shape {' or '.join(kinds)} for a prediction of shape {shape} "
                    f"with classes on axis {axis}, got {shape_of(target)}"
                )
            if shape[axis] == 0:
                raise ValueError(f"prediction must have at least one class, got shape {shape}")
        elif self.outputs > 0:
            if ndim == 0 or shape[ndim - 1] != self.outputs:
                raise ValueError(
                    f"prediction must have a last axis of length {self.outputs}, one entry for each "
                    f"{self.output_name}, got shape {shape}"
                )
            rows = shape[:ndim - 1]
            if shape_of(target) != rows:
                raise ValueError(
                    f"target must have shape {rows}, that of the prediction without its last axis, "
                    f"got {shape_of(target)}"
                )
            target = np.broadcast_to((<object>target)[..., np.newaxis], shape)
        else:
            rows = shape
            if shape_of(target) != shape:
                raise ValueError(
                    f"target must have the prediction's shape {shape}, got {shape_of(target)}"
                )
        arrays[PREDICTION] = prediction
        arrays[TARGET] = target
        if weight_ is not None:
            array = as_array("weight", weight_)
            if shape_of(array) != rows and (len(rows) < 2 or shape_of(array) != rows[:1]):
                raise ValueError(
                    f"weight must have shape {rows}"
                    + (f" or {rows[:1]}" if len(rows) > 1 else "") + f", got {shape_of(array)}"
                )
            inputs.append(("weight", array))
            if self.outputs > 0:
                missing = (1,) * (ndim - cnp.PyArray_NDIM(array))
                array = np.broadcast_to(
                    (<object>array).reshape(shape_of(array) + missing), shape)
            arrays[WEIGHT] = array
        if tangent is not None:
            array = as_array("v", tangent)
            if shape_of(array) != shape:
                raise ValueError(
                    f"v must have the prediction's shape {shape}, got {shape_of(array)}"
                )
            arrays[TANGENT] = array
            inputs.append(("v", array))
        if self.outputs > 0:
            # From here on every prediction is an element like any other.
            rows = shape
        for i in range(self.n_varying):
            if self.varying_arrays[i] is None:
                continue
            try:
                arrays[VARYING + i] = np.broadcast_to(self.varying_arrays[i], rows)
            except ValueError:
                raise ValueError(
                    f"{self.varying_names[i]} has shape {self.varying_arrays[i].shape}, which does "
                    f"not broadcast against the target's shape {rows}"
                ) from None

        # Outputs, in the order in which they are returned.
        outputs = []
        wanted = []
        if HAS_VALUE[mode] and reduction == NONE:
            wanted.append((VALUE, rows))
        if HAS_GRADIENT[mode]:
            wanted.append((GRADIENT, shape))
        if HAS_HESSIAN[mode]:
            wanted.append((HESSIAN, shape))
        given = (None,) * len(wanted)
        if out is not None:
            given = out if isinstance(out, (tuple, list)) else (out,)
            if len(given) != len(wanted):
                raise ValueError(
                    f"out must hold {len(wanted)} array{'s' * (len(wanted) != 1)} for this call, "
                    f"got {len(given)}"
                )
        job.in_place = False
        for i, (which, wanted_shape) in enumerate(wanted):
            name = "out" if len(wanted) == 1 else f"out[{i}]"
            if given[i] is None:
                before = begin_large(prediction.size * dtype.itemsize)
                try:
                    array = (np.empty(rows, dtype) if which == VALUE
                             else np.empty_like(prediction, dtype=dtype, subok=False))
                finally:
                    end_large(before)
            else:
                array = output_array(name, given[i], wanted_shape, dtype)
                for j in range(i):
                    if overlap(array, outputs[j]):
                        raise ValueError(f"{name} must not share memory with out[{j}]")
                if check_overlap(name, array, inputs):
                    if which == VALUE and by_class:
                        raise ValueError(f"{name} must not share memory with prediction")
                    job.in_place = True
            arrays[which] = array
            outputs.append(array)

        # The job: one shape, and each array's strides over it.
        job.ndim = len(rows)
        job.n = 1
        for i in range(job.ndim):
            job.shape[i] = rows[i]
            job.n *= job.shape[i]
        job.classes = shape[axis] if by_class else 1
        for i in range(OPERANDS):
            operand = &job.operands[i]
            operand.data = NULL
            operand.plain = False
            operand.direct = False
            if arrays[i] is None:
                continue
            array = arrays[i]
            set_operand(operand, array)
            has_axis = by_class and cnp.PyArray_NDIM(array) == ndim and (
                i in (PREDICTION, TANGENT, GRADIENT, HESSIAN)
                or (i == TARGET and has_probabilities(job)))
            k = 0
            for j in range(cnp.PyArray_NDIM(array)):
                if has_axis and j == axis:
                    operand.class_stride = cnp.PyArray_STRIDE(array, j)
                else:
                    operand.strides[k] = cnp.PyArray_STRIDE(array, j)
                    k += 1
            for j in range(k, job.ndim):
                operand.strides[j] = 0
        if job.n > 0:
            merge_axes(job, not by_class)
        else:
            job.ndim = 1
        for i in range(OPERANDS):
            if arrays[i] is not None:
                finish_operand(job, &job.operands[i], real_type, arrays[i])
        if job.in_place:
            job.operands[PREDICTION].direct = False
        by_class_[0] = by_class
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    cdef int axis_of(self, tuple shape) except -1:
        cdef int ndim = len(shape)
        if ndim == 0:
            raise ValueError(
                f"prediction must have {'an' if self.predictions else 'a class'} axis"
                + (f" of {' and '.join(self.predictions)}" if self.predictions else "")
                + ", got a scalar"
            )
        if ndim == 1:
            return 0
        if not -ndim <= self.axis < ndim:
            raise ValueError(
                f"axis {self.axis} is out of bounds for a prediction of shape {shape}"
            )
        return self.axis + ndim if self.axis < 0 else self.axis

    cdef int execute(self, Job* job, int mode, bint by_class, int reduction, double divisor,
                     int asked, Result* result) except -1:
        """Run a job whose arrays are known to be good."""
        cdef int real = 0 if job.real_size == 4 else 1
        cdef double constant[TILE]
        cdef double stack_slots[4]
        cdef double* slots = stack_slots
        cdef bint weighted = job.operands[WEIGHT].data != NULL
        cdef bint given = divisor != 0
        cdef Py_ssize_t n = TILE if by_class else round_up(min(job.n, <Py_ssize_t>TILE))
        cdef int i
        job.tools = &self.level.tools[real]
        job.double_tools = &self.level.tools[1]
        job.single_tools = &self.level.tools[0]
        job.parameters = self.parameters[real]
        if job.operands[TANGENT].data != NULL:
            mode = MODE_GRADIENT_HESSIAN
        job.has_value = HAS_VALUE[mode]
        job.has_gradient = HAS_GRADIENT[mode]
        job.has_hessian = HAS_HESSIAN[mode] and job.operands[TANGENT].data == NULL
        job.scale = 1
        job.scratch = NULL
        job.streaming = streams(job)
        job.n_varying = self.n_varying
        for i in range(self.n_varying):
            if job.operands[VARYING + i].data == NULL:
                job.constant_varying[i] = self.varying_tile(real, i)
        job.block = NULL
        job.soft_row = NULL
        if by_class and has_probabilities(job):
            job.soft_row = <class_function>self.functions[real][SOFT_ROW_FUNCTION]
        if by_class and self.has_block and not (
                self.offset or self.soft_cap != 0 or job.packed != NULL or job.soft_row != NULL):
            loop = BLOCK_FUNCTION
            if job.numbers:
                loop = PAIR_PRODUCT_LOOP if job.operands[TANGENT].data != NULL else PAIR_LOOP_OF[mode]
            job.block = <class_function>self.functions[real][loop]
        job.label_stop = job.classes + (self.relation == CUMULATIVE)
        job.chunk = rows_per_chunk(job) if by_class else ELEMENTWISE_CHUNK
        job.chunks = (job.n + (job.chunk - 1)) // job.chunk
        if job.chunks > 1:
            slots = <double*>PyMem_Malloc(4 * job.chunks * sizeof(double))
            if slots == NULL:
                raise MemoryError()
        job.totals = slots
        job.weights = slots + job.chunks
        job.counts = <Py_ssize_t*>(slots + 2 * job.chunks)
        job.bad = <Py_ssize_t*>(slots + 3 * job.chunks)
        result.count = job.n
        result.weight = job.n
        try:
            if by_class:
                self.prepare_classes(job, real, asked, result)
            elif weighted and job.has_gradient and reduction == MEAN and not given:
                self.launch(job, weight_chunk, job.n * WEIGHT_COST, asked)
                result.weight = tree_sum(job.weights, job.chunks)
            if reduction == MEAN and job.has_gradient:
                if not given:
                    divisor = result.weight
                job.scale = 1 / divisor if divisor != 0 else 0
            if by_class:
                self.run_classes(job, real, mode, asked)
            else:
                self.choose_loops(job, real, mode)
                for i in range(2):
                    job.limited[i] = self.limited[i] and not job.in_place
                    job.lower[i] = self.lower[i][real]
                    job.upper[i] = self.upper[i][real]
                if job.has_gradient and not weighted:
                    fill(constant, job.scale, n, real)
                    job.constant_step = constant
                self.launch_timed(job, elementwise_chunk, real, mode, job.n, asked, 2**31 - 1)
                if job.limited[PREDICTION] or job.limited[TARGET]:
                    check_bad(job)
                if weighted and job.has_value and reduction != NONE:
                    result.weight = tree_sum(job.weights, job.chunks)
            result.total = tree_sum(job.totals, job.chunks)
            result.divisor = divisor if given else result.weight
        finally:
            if job.chunks > 1:
                PyMem_Free(slots)
            if job.scratch != NULL:
                PyMem_Free(job.scratch)
        return 0

    cdef void choose_loops(self, Job* job, int real, int mode) noexcept:
        job.value_loop = NULL
        job.derivative_loop = NULL
        job.single = self.single
        if self.single:
            job.derivative_loop = <elementwise_function>self.functions[real][0]
            job.streaming = False
            return
        if VALUE_LOOP_OF[mode] != NO_LOOP:
            job.value_loop = <elementwise_function>self.functions[real][VALUE_LOOP_OF[mode]]
        if DERIVATIVE_LOOP_OF[mode] != NO_LOOP:
            job.derivative_loop = <elementwise_function>self.functions[real][DERIVATIVE_LOOP_OF[mode]]

    cdef void launch(self, Job* job, chunk_function function, double seconds, int asked):
        cdef int threads = thread_count(job.chunks, seconds, asked)
        if job.n * job.classes * job.real_size < KEEP_LOCK_BELOW:
            run_chunks(job, function, 0, 1)
        else:
            with nogil:
                run_chunks(job, function, 0, threads)

    cdef void launch_timed(self, Job* job, chunk_function function, int real, int mode,
                           Py_ssize_t elements, int asked, int most):
        if self.function is not None:
            # In this thread, where what it raises is noticed.
            run_chunks(job, function, 0, 1)
            raise_pending()
        elif job.chunks < 2:
            self.launch(job, function, 0, 1)
        else:
            with nogil:
                run_timed(job, function, &self.cost[real][mode], elements, asked, most)

    cdef int check_predictions(self, tuple shape, int axis, tuple rows, cnp.ndarray target) except -1:
        names = " and ".join(self.predictions)
        if shape[axis] != len(self.predictions):
            raise ValueError(
                f"prediction must have length {len(self.predictions)} on axis {axis}, for {names}, "
                f"got shape {shape}"
            )
        if shape_of(target) != rows:
            raise ValueError(
                f"target must have shape {rows} for a prediction of shape {shape} with {names} on "
                f"axis {axis}, got {shape_of(target)}"
            )
        return 0

    cdef list bounded(self, list arrays):
        """Name, array and bounds of each of several predictions that has any, and its index."""
        cdef list found = []
        if not self.domains:
            return found
        prediction = arrays[PREDICTION]
        axis = self.axis_of(prediction.shape)
        for k, domain in enumerate(self.domains):
            if domain is not None:
                index = (slice(None),) * axis + (k, Ellipsis)
                found.append((self.predictions[k], prediction[index], domain, (axis, k)))
        return found

    cdef int check_interval(self, int which, cnp.ndarray array, int real, int asked) except -1:
        if self.limited[which]:
            self.check_domain(array, real, asked, self.lower[which][real], self.upper[which][real])
        return 0

    cdef int check_domain(self, cnp.ndarray array, int real, int asked, double lower,
                          double upper) except -1:
        # What lies outside of a loss's domain would come out as a plausible number, and labels that are
        # no classes would be read.
        cdef Job job
        cdef int i
        cdef int real_type = cnp.NPY_DOUBLE if real else cnp.NPY_FLOAT
        job.tools = &self.level.tools[real]
        job.real_size = 8 if real else 4
        job.ndim = cnp.PyArray_NDIM(array)
        job.n = cnp.PyArray_SIZE(array)
        if (job.n <= ELEMENTWISE_CHUNK and is_plain(array)
                and cnp.PyArray_TYPE(array) == real_type):
            # Small and as it should be: no job is worth making.
            if job.tools.outside(cnp.PyArray_DATA(array), job.n, lower, upper) > 0:
                raise OutOfRange(0)
            return 0
        if job.n == 0:
            return 0
        memset(&job.operands, 0, sizeof(job.operands))
        set_operand(&job.operands[PREDICTION], array)
        for i in range(job.ndim):
            job.shape[i] = cnp.PyArray_DIM(array, i)
            job.operands[PREDICTION].strides[i] = cnp.PyArray_STRIDE(array, i)
        merge_axes(&job, True)
        finish_operand(&job, &job.operands[PREDICTION], real_type, array)
        job.classes = 1
        job.lower[PREDICTION] = lower
        job.upper[PREDICTION] = upper
        job.chunk = ELEMENTWISE_CHUNK
        job.chunks = (job.n + (ELEMENTWISE_CHUNK - 1)) // ELEMENTWISE_CHUNK
        job.bad = <Py_ssize_t*>PyMem_Malloc(job.chunks * sizeof(Py_ssize_t))
        if job.bad == NULL:
            raise MemoryError()
        try:
            self.launch(&job, outside_chunk, job.n * WEIGHT_COST, asked)
            return check_bad(&job)
        finally:
            PyMem_Free(job.bad)

    cdef int prepare_classes(self, Job* job, int real, int asked, Result* result) except -1:
        cdef Py_ssize_t i
        # As int64 the largest of uint64 are negative: no class, and never what is ignored.
        job.has_ignore_index = self.has_ignore_index and not (
            self.ignore_index < 0 and job.operands[TARGET].source in (cnp.NPY_ULONG, cnp.NPY_ULONGLONG))
        job.ignore_index = self.ignore_index
        job.smoothing = self.smoothing
        job.class_weight = NULL
        job.class_weight_double = NULL
        job.divisor_weight = NULL
        job.share_weight = NULL
        job.share_weight_sum = job.classes
        job.z_loss = self.z_loss
        if self.share_weight is not None:
            # There is one wherever there are weights of classes.
            for name, array in ((self.class_weight_name, self.class_weight),
                                (self.share_weight_name, self.share_weight)):
                if array is not None and array.size != job.label_stop:
                    raise ValueError(
                        f"{name} must have one entry for each of the prediction's {job.label_stop} "
                        f"classes, got {array.size}"
                    )
        if self.class_weight is not None:
            job.class_weight_double = <double*>cnp.PyArray_DATA(self.class_weight)
            if self.divisor_weight is not None:
                job.divisor_weight = <double*>cnp.PyArray_DATA(self.divisor_weight)
            job.class_weight = cnp.PyArray_DATA(
                self.class_weight_float if real == 0 else self.class_weight)
        if self.share_weight is not None:
            job.share_weight = cnp.PyArray_DATA(
                self.share_weight_float if real == 0 else self.share_weight)
            job.share_weight_sum = self.share_weight_sum
        self.launch(job, label_chunk, job.n * LABEL_COST, asked)
        result.count = 0
        for i in range(job.chunks):
            if job.bad[i] > 0:
                raise OutOfRange(i * job.chunk)
            result.count += job.counts[i]
        result.weight = tree_sum(job.weights, job.chunks)
        return 0

    cdef int run_classes(self, Job* job, int real, int mode, int asked) except -1:
        cdef Py_ssize_t size = job.classes * job.real_size
        cdef Py_ssize_t rows = block_rows(job)
        cdef chunk_function function
        cdef int threads
        # Strides of whole pages would put all classes into one set of the cache.
        job.block_stride = rows + 64 // job.real_size
        job.offset = self.offset
        job.soft_cap = self.soft_cap
        if self.relation != NO_RELATION:
            self.choose_loops(job, real, mode)
            function = classwise_chunk
            job.relation = self.relation
            job.negative = self.negative
            job.class_share = 1 / <double>job.classes if self.mean_over_classes else 1
            job.scratch_size = 6 * (classwise_width(job) * job.real_size + 64)
        elif self.elementwise:
            self.choose_loops(job, real, mode)
            function = pick_chunk
            job.scratch_size = size
        elif job.block != NULL and in_blocks(job):
            function = block_chunk
            job.scratch_size = size * rows + size * job.block_stride * (
                1 + job.has_hessian + (job.operands[TANGENT].data != NULL) + has_probabilities(job))
        else:
            job.row = <class_function>self.functions[real][ROW_FUNCTION]
            job.packs = self.has_block and job.soft_row == NULL
            if job.soft_row == NULL:
                job.soft_row = job.tools.soft_row if self.has_block else job.row
            function = row_chunk
            job.scratch_size = 5 * size
            if job.block == NULL:
                job.scratch_size += SCRATCH_ROWS * size + 3 * 64
        job.scratch_size = (job.scratch_size + 6 * 64) & ~<Py_ssize_t>63
        # Scratch for as many threads as there may be; what a thread does not touch is not there.
        threads = <int>min(<Py_ssize_t>thread_limit(asked), max(job.chunks, <Py_ssize_t>1))
        job.scratch = <char*>PyMem_Malloc(job.scratch_size * threads)
        if job.scratch == NULL:
            raise MemoryError()
        self.launch_timed(job, function, real, mode, job.n * job.classes, asked, threads)
        return 0

    cdef int explain(self, prediction, target, bint by_class, bint labels, Py_ssize_t classes,
                     int real, Py_ssize_t start) except -1:
        cdef int which
        read_as = np.float64 if real else np.float32
        if self.takes_label_lists:
            at = first_where(target, self._is_no_list, classes, 0)
            if at is not None:
                raise IndexError(
                    f"target holds the label {target[at]} at position {position(at)}, which is "
                    f"neither one of the {classes} classes 0 to {classes - 1} nor -1"
                )
        for name, array, (lower, upper), (axis, k) in self.bounded([prediction]):
            at = first_where(array, self._is_outside, (lower, upper, read_as), 0)
            if at is not None:
                raise ValueError(
                    f"prediction must hold a {name} in [{lower:g}, {upper:g}], got {array[at]} at "
                    f"position {position(at[:axis] + (k,) + at[axis:])}"
                )
        if labels:
            at = first_where(target, self._is_no_label, classes, start)
            if at is not None:
                raise wrong_label(
                    target, at, classes, self.ignore_index if self.has_ignore_index else None)
        for which, array in ((PREDICTION, prediction), (TARGET, target)):
            if not self.limited[which] or (which == TARGET and by_class):
                continue
            bounds = self.lower[which][real], self.upper[which][real], read_as
            at = first_where(array, self._is_outside, bounds, 0)
            if at is not None:
                name = "target" if which == TARGET else "prediction"
                what = "probabilities" if self.intervals[which] == (0, 1) else "numbers"
                raise ValueError(
                    f"{name} must hold {what} in {interval(self.intervals[which])}, got {array[at]} "
                    f"at position {position(at)}"
                )
        raise RuntimeError("the arrays changed while they were read")

    def _is_no_label(self, block, classes):
        """Return where a block of labels holds something else."""
        labels = block if block.dtype.kind in "biu" else block.astype(np.float64)
        bad = ~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))
        return bad & (labels != self.ignore_index) if self.has_ignore_index else bad

    def _is_no_list(self, block, classes):
        """Return where a block of lists of labels holds neither a class nor -1."""
        return (block < -1) | (block >= classes)

    def _is_outside(self, block, bounds):
        """Return where a block, as the type that it is read as, is out of bounds."""
        lower, upper, read_as = bounds
        block = block.astype(read_as)
        return (block < lower) | (block > upper)


cdef int check_bad(const Job* job) except -1:
    cdef Py_ssize_t chunk
    for chunk in range(job.chunks):
        if job.bad[chunk] > 0:
            raise OutOfRange(0)
    return 0


cdef double inward(double bound, type_, double side) except? -1:
    # The first number of a type that is within a bound.
    rounded = type_(bound)
    if (float(rounded) < bound) if side > 0 else (float(rounded) > bound):
        rounded = np.nextafter(rounded, type_(side))
    return rounded


cdef str interval(tuple bounds):
    # An end is open where it is the number next to a much shorter one.
    cdef double lower = bounds[0], upper = bounds[1]
    cdef double below = np.nextafter(lower, -np.inf), above = np.nextafter(upper, np.inf)
    left = f"({below:g}" if len(repr(below)) < len(repr(lower)) else f"[{lower:g}"
    right = f"{above:g})" if len(repr(above)) < len(repr(upper)) else f"{upper:g}]"
    return f"{left}, {right}"


cpdef object wrong_label(target, tuple at, Py_ssize_t classes, ignore_index):
    """Return the error that says which label is no class."""
    return IndexError(
        f"target holds the label {target[at]} at position {position(at)}, "
        f"which is not one of the {classes} classes 0 to {classes - 1}"
        + ("" if ignore_index is None else f" nor ignore_index={ignore_index}")
    )


cdef object first_where(array, test, argument, start):
    # Block by block: the array may be as large as memory.
    for start in range(start, array.size, 2**20):
        bad = test(array.flat[start:start + 2**20], argument)
        if bad.any():
            return np.unravel_index(start + int(np.argmax(bad)), array.shape)
    return None


cdef object position(tuple at):
    return int(at[0]) if len(at) == 1 else tuple(int(i) for i in at)
