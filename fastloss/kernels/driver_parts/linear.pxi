# Linear cross-entropy: the passes over tiles of logits, between matrix products that NumPy's BLAS
# computes. fastloss/kernels/linear.py says when which tile is where.

cdef extern from "driver_parts/threads.h" nogil:
    void fastloss_yield()
    void fastloss_store(long* x, long value)
    bint fastloss_swap(long* x, long old, long value)

from cpython.pythread cimport (
    PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock,
    PyThread_type_lock, WAIT_LOCK)

cdef enum:
    # Rows that a thread takes at a time.
    LINEAR_ROWS = 8
    KEPT = 2

# One array of two axes, its rows contiguous.
cdef struct Block:
    char* data
    Py_ssize_t rows
    Py_ssize_t columns
    Py_ssize_t stride           # bytes from row to row
    int source                  # type number

# What the threads of one pass read; the job comes first, so that a pointer to it is one to this.
cdef struct LinearJob:
    Job job
    LinearRow row               # what all rows share
    Block logits
    Block kept[KEPT]            # where the logits of the first rows are kept
    double* state[9]
    Py_ssize_t* label
    Py_ssize_t* argmax
    linear_function function
    unary_function accumulate
    unary_function load
    columns_function column_sums
    Block source
    Block target
    double* sums

cdef struct Crew:
    long left                   # chunks that nobody has taken
    long done
    long closed
    long chunks
    chunk_function function
    const Job* job


cdef struct Member:
    PyThread_type_lock wake     # released to wake it
    long asleep


cdef bint take_chunk(Crew* crew) noexcept nogil:
    # A chunk that was taken belongs to the job that is there now: the next one is only put there
    # when all of this one's are done.
    cdef long left = fastloss_load(&crew.left)
    cdef unsigned state
    while left > 0:
        if fastloss_swap(&crew.left, left, left - 1):
            state = fastloss_enter()
            crew.function(crew.job, crew.chunks - left, 0)
            fastloss_leave(state)
            fastloss_increment(&crew.done)
            return True
        left = fastloss_load(&crew.left)
    return False


cdef void serve(Crew* crew, Member* member) noexcept nogil:
    while True:
        fastloss_store(&member.asleep, 1)
        PyThread_acquire_lock(member.wake, WAIT_LOCK)
        if fastloss_load(&crew.closed):
            return
        while take_chunk(crew):
            pass


cdef class Team:
    """Threads for short pieces of work between matrix products.

    OpenMP's stay awake for milliseconds after a parallel region and take half a core each from the
    BLAS's, which have just begun: products took twice their time, and hardly less when the waiting
    threads offered their core to others all the time. These sleep. Whoever wakes late finds that
    the others have taken the work, so nobody is waited for.
    """

    cdef Crew crew
    cdef Member* members
    cdef list threads
    cdef readonly int size

    def __cinit__(self):
        self.members = NULL

    def __init__(self, double seconds, n_threads=None):
        cdef int asked = 0 if n_threads is None else check_threads(n_threads)
        cdef int limit = thread_limit(asked)
        memset(&self.crew, 0, sizeof(Crew))
        self.threads = []
        # Starting a thread takes a tenth of a millisecond.
        self.size = limit if literal_threads and asked > 0 else <int>max(
            min(<double>limit, seconds / 1e-3), 1.0)

    def __enter__(self):
        import threading

        cdef int i
        self.members = <Member*>PyMem_Malloc(self.size * sizeof(Member))
        if self.members == NULL:
            raise MemoryError()
        for i in range(self.size - 1):
            self.members[i].wake = PyThread_allocate_lock()
            PyThread_acquire_lock(self.members[i].wake, WAIT_LOCK)
            self.members[i].asleep = 0
            thread = threading.Thread(target=self.serve, args=(i,), daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # There can be no more of them.
                PyThread_free_lock(self.members[i].wake)
                self.size = i + 1
                break
            self.threads.append(thread)
        return self

    def __exit__(self, *_):
        cdef int i
        fastloss_store(&self.crew.closed, 1)
        for i, thread in enumerate(self.threads):
            while thread.is_alive():
                self.wake(i)
                thread.join(1e-4)
            PyThread_release_lock(self.members[i].wake)
            PyThread_free_lock(self.members[i].wake)
        PyMem_Free(self.members)

    cdef void wake(self, int i) noexcept nogil:
        if fastloss_swap(&self.members[i].asleep, 1, 0):
            PyThread_release_lock(self.members[i].wake)

    def serve(self, int i):
        """Work for the team until it is dissolved; what each of its threads runs."""
        with nogil:
            serve(&self.crew, &self.members[i])

    cdef void run(self, chunk_function function, const Job* job, Py_ssize_t chunks):
        cdef Py_ssize_t chunk
        cdef int i
        with nogil:
            if self.size < 2 or chunks < 2:
                for chunk in range(chunks):
                    function(job, chunk, 0)
            else:
                self.crew.function = function
                self.crew.job = job
                self.crew.chunks = <long>chunks
                fastloss_store(&self.crew.done, 0)
                fastloss_store(&self.crew.left, <long>chunks)
                for i in range(self.size - 1):
                    self.wake(i)
                while take_chunk(&self.crew):
                    pass
                while fastloss_load(&self.crew.done) < chunks:
                    fastloss_yield()


cdef bint is_block(cnp.ndarray array):
    return (cnp.PyArray_NDIM(array) == 2 and cnp.PyArray_ISNOTSWAPPED(array)
            and cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_ALIGNED)
            and (cnp.PyArray_DIM(array, 1) < 2
                 or cnp.PyArray_STRIDE(array, 1) == cnp.PyArray_ITEMSIZE(array)))


cdef int set_block(Block* block, cnp.ndarray array) except -1:
    if not is_block(array):
        raise ValueError("a block must have contiguous rows")
    block.data = <char*>cnp.PyArray_DATA(array)
    block.rows = cnp.PyArray_DIM(array, 0)
    block.columns = cnp.PyArray_DIM(array, 1)
    block.stride = cnp.PyArray_STRIDE(array, 0)
    block.source = source_of(array)
    return 0


cdef inline Py_ssize_t row_chunks(Py_ssize_t rows) noexcept nogil:
    return (rows + (LINEAR_ROWS - 1)) // LINEAR_ROWS


# Doubles of a row's state, in the order of LinearSweep's attribute `state`.
cdef enum:
    MAXIMUM, REST, AT_LABEL, SPREAD, DISORDER, MASS, STEP, HIT
    STATES


cdef char* kept_row(const LinearJob* linear, Py_ssize_t r) noexcept nogil:
    cdef int i
    for i in range(KEPT):
        if r < linear.kept[i].rows:
            return linear.kept[i].data + r * linear.kept[i].stride
        r -= linear.kept[i].rows
    return NULL


cdef void reduce_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef const LinearJob* linear = <const LinearJob*>job
    cdef LinearRow row = linear.row
    cdef Py_ssize_t r
    cdef char* kept
    for r in range(chunk * LINEAR_ROWS, min((chunk + 1) * LINEAR_ROWS, linear.logits.rows)):
        row.logits = linear.logits.data + r * linear.logits.stride
        row.label = linear.label[r]
        row.argmax = linear.argmax[r]
        row.maximum = linear.state[MAXIMUM][r]
        row.rest = linear.state[REST][r]
        row.at_label = linear.state[AT_LABEL][r]
        row.spread = linear.state[SPREAD][r]
        row.disorder = linear.state[DISORDER][r]
        linear.function(&row)
        linear.argmax[r] = row.argmax
        linear.state[MAXIMUM][r] = row.maximum
        linear.state[REST][r] = row.rest
        linear.state[AT_LABEL][r] = row.at_label
        linear.state[SPREAD][r] = row.spread
        linear.state[DISORDER][r] = row.disorder
        kept = kept_row(linear, r)
        if kept != NULL:
            memcpy(kept, row.logits, row.columns * job.real_size)


cdef void derive_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef const LinearJob* linear = <const LinearJob*>job
    cdef LinearRow row = linear.row
    cdef Py_ssize_t r
    for r in range(chunk * LINEAR_ROWS, min((chunk + 1) * LINEAR_ROWS, linear.logits.rows)):
        row.gradient = linear.logits.data + r * linear.logits.stride
        row.logits = kept_row(linear, r)
        if row.logits == NULL:
            row.logits = row.gradient
        row.label = linear.label[r]
        row.maximum = linear.state[MAXIMUM][r]
        row.mass = linear.state[MASS][r]
        row.step = linear.state[STEP][r]
        row.hit = linear.state[HIT][r]
        linear.function(&row)


cdef void accumulate_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef const LinearJob* linear = <const LinearJob*>job
    cdef Py_ssize_t r
    for r in range(chunk * LINEAR_ROWS, min((chunk + 1) * LINEAR_ROWS, linear.source.rows)):
        linear.accumulate(linear.source.data + r * linear.source.stride, linear.source.columns,
                          linear.target.data + r * linear.target.stride)


cdef void convert_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    # Into reals, or from them into a shorter type.
    cdef const LinearJob* linear = <const LinearJob*>job
    cdef const char* source
    cdef char* target
    cdef Py_ssize_t r
    for r in range(chunk * LINEAR_ROWS, min((chunk + 1) * LINEAR_ROWS, linear.source.rows)):
        source = linear.source.data + r * linear.source.stride
        target = linear.target.data + r * linear.target.stride
        linear.load(source, linear.source.columns, target)


cdef void column_chunk(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil:
    cdef const LinearJob* linear = <const LinearJob*>job
    cdef Py_ssize_t start = chunk * LANES
    linear.column_sums(
        linear.source.data + start * job.real_size, linear.source.rows,
        linear.source.stride // job.real_size, min(<Py_ssize_t>LANES, linear.source.columns - start),
        linear.sums + start)


cdef class LinearSweep:
    """Rows whose logits come tile by tile: what is known of each, and the passes.

    `state` holds a double per row for the maximum, the rest, the label's logit, the spread, the
    disorder, and what the second pass is given: mass, step and hit. See LinearRow.
    """

    cdef Level level
    cdef Team team
    cdef int real
    cdef dict addresses
    cdef LinearJob linear
    cdef readonly cnp.ndarray state
    cdef readonly cnp.ndarray argmax
    cdef cnp.ndarray labels
    cdef cnp.ndarray bias
    cdef cnp.ndarray class_weight

    def __init__(self, Level level, Team team, dtype, labels, bias, class_weight, double share,
                 double soft_cap, bint has_disorder):
        cdef Py_ssize_t n = len(labels)
        cdef int i
        self.level = level
        self.team = team
        self.real = 0 if dtype.itemsize == 4 else 1
        self.addresses = level.addresses["f64" if self.real else "f32"]
        self.labels = np.ascontiguousarray(labels, np.intp)
        self.argmax = np.zeros(n, np.intp)
        self.state = np.zeros((STATES, n))
        self.state[MAXIMUM] = -np.inf
        # Contiguous and of the dtype, or None.
        self.bias = bias
        self.class_weight = class_weight
        memset(&self.linear, 0, sizeof(LinearJob))
        self.linear.job.real_size = 8 if self.real else 4
        self.linear.label = <Py_ssize_t*>cnp.PyArray_DATA(self.labels)
        self.linear.argmax = <Py_ssize_t*>cnp.PyArray_DATA(self.argmax)
        for i in range(STATES):
            self.linear.state[i] = <double*>cnp.PyArray_DATA(self.state) + i * n
        self.linear.row.share = share
        self.linear.row.soft_cap = soft_cap
        self.linear.row.has_disorder = has_disorder

    cdef void* address(self, str name):
        return <void*><size_t>self.addresses[name]

    cdef int tile(self, cnp.ndarray logits, Py_ssize_t first, kept) except -1:
        cdef Py_ssize_t size = self.linear.job.real_size
        cdef int i
        set_block(&self.linear.logits, logits)
        self.linear.row.columns = self.linear.logits.columns
        self.linear.row.first = first
        for i in range(KEPT):
            self.linear.kept[i].rows = 0
        for i, block in enumerate(kept):
            set_block(&self.linear.kept[i], block)
        if self.bias is not None:
            self.linear.row.bias = <char*>cnp.PyArray_DATA(self.bias) + first * size
        if self.class_weight is not None:
            self.linear.row.class_weight = <char*>cnp.PyArray_DATA(self.class_weight) + first * size
        return 0

    def reduce(self, logits, Py_ssize_t first, double share_before, kept):
        """Take in the logits of the classes from `first` on, and keep those of the first rows."""
        self.tile(logits, first, kept)
        self.linear.row.share_before = share_before
        self.linear.function = <linear_function>self.address("linear_reduce_tile")
        self.team.run(reduce_chunk, &self.linear.job, row_chunks(self.linear.logits.rows))

    def derive(self, logits, Py_ssize_t first, kept):
        """Put the gradient where the logits are; those of the first rows come from `kept`."""
        self.tile(logits, first, kept)
        self.linear.function = <linear_function>self.address("linear_derive_tile")
        self.team.run(derive_chunk, &self.linear.job, row_chunks(self.linear.logits.rows))

    def accumulate(self, source, target):
        """Add one array to another."""
        set_block(&self.linear.source, source)
        set_block(&self.linear.target, target)
        self.linear.accumulate = <unary_function>self.address("accumulate_tile")
        self.team.run(accumulate_chunk, &self.linear.job, row_chunks(self.linear.source.rows))

    def column_sums(self, source, cnp.ndarray sums):
        """Add the sum of the rows to contiguous doubles."""
        set_block(&self.linear.source, source)
        self.linear.column_sums = <columns_function>self.address("column_sums_tile")
        self.linear.sums = <double*>cnp.PyArray_DATA(sums)
        self.team.run(column_chunk, &self.linear.job,
                      (self.linear.source.columns + (LANES - 1)) // LANES)

    def convert(self, cnp.ndarray source, cnp.ndarray target):
        """Copy one array into another, of whatever types."""
        cdef Tools* tools = &self.level.tools[self.real]
        if not (is_block(source) and is_block(target)):
            target[...] = source
            return
        set_block(&self.linear.source, source)
        set_block(&self.linear.target, target)
        if self.linear.target.source == HALF:
            self.linear.load = tools.store_half
        elif self.linear.target.source == BFLOAT16:
            self.linear.load = tools.store_bfloat
        else:
            tools = &self.level.tools[self.linear.target.source == cnp.NPY_DOUBLE]
            self.linear.load = tools.load[self.linear.source.source]
        if self.linear.load == NULL:
            # From double into a short type.
            target[...] = source
            return
        self.team.run(convert_chunk, &self.linear.job, row_chunks(self.linear.source.rows))


# What fastloss/kernels/linear.py checks its arguments with.

def real_array(str name, value):
    """Return an array of real numbers, without a copy where there is one."""
    return as_array(name, value)


def checked_output(str name, out, tuple shape, dtype):
    """Return an output as the caller gave it, or raise."""
    return output_array(name, out, shape, dtype)


def share_memory(a, b) -> bool:
    """Return whether two arrays overlap."""
    return overlap(a, b)


def checked_reduction(reduction) -> str:
    """Return a reduction's name, or raise."""
    reduction_code(reduction)
    return reduction


def checked_denominator(denominator, str reduction) -> float:
    """Return what a mean is divided by, or raise."""
    return check_denominator(denominator, REDUCTION_CODES[reduction])
