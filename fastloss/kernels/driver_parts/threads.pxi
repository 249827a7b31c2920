# Chunks over threads. A chunk's bounds depend on the shape alone, each chunk has a slot of its own
# for its sums, and the slots are combined in a fixed tree by one thread: the bits of a result do not
# depend on how many threads there were.

cdef extern from "driver_parts/threads.h" nogil:
    long FASTLOSS_OPENMP
    int fastloss_max_threads()
    int fastloss_thread()
    long fastloss_process()
    double fastloss_now()

ctypedef void (*chunk_function)(const Job* job, Py_ssize_t chunk) noexcept nogil

cdef enum:
    # Below this many bytes of work the interpreter's lock is kept: giving it up and taking it back
    # would cost more than it lets others do.
    KEEP_LOCK_BELOW = 4096

# What a team of threads costs before it does any work, in seconds: an entry and an exit of a
# parallel region by threads that are still awake, and as much again for every member.
cdef double TEAM_COST = 2e-6
cdef double MEMBER_COST = 1e-6
# The first process in which a team ran. libgomp's threads do not survive a fork: in a child a team
# would wait for ever for members that are gone, so a child computes alone, with the same bits.
cdef long team_process = 0
cdef int environment_limit = 0
cdef bint literal_threads = False


def read_environment():
    """Read FASTLOSS_NUM_THREADS, the upper bound for every call."""
    global environment_limit
    text = os.environ.get("FASTLOSS_NUM_THREADS", "").strip()
    if not text:
        environment_limit = 0
        return
    if not text.isdigit() or int(text) < 1:
        raise ValueError(
            f"the environment variable FASTLOSS_NUM_THREADS must be a positive integer, got {text!r}"
        )
    environment_limit = min(int(text), 2**31 - 1)


def openmp() -> int:
    """Return the OpenMP version that this build uses as a date, or 0 for none."""
    return FASTLOSS_OPENMP


def max_threads() -> int:
    """Return the number of threads that a large call may use now."""
    return thread_limit(0)


def set_literal_threads(bint literal) -> bool:
    """Make ``n_threads`` of a call the number of threads, no bound. For tests."""
    global literal_threads
    before = literal_threads
    literal_threads = literal
    return before


cdef int thread_limit(int asked) noexcept nogil:
    cdef int limit = fastloss_max_threads()
    if literal_threads and asked > 0:
        return asked if FASTLOSS_OPENMP else 1
    if environment_limit > 0:
        limit = min(limit, environment_limit)
    if asked > 0:
        limit = min(limit, asked)
    return max(limit, 1)


cdef int thread_count(Py_ssize_t chunks, double seconds, int asked) noexcept nogil:
    # As many threads as make the call shortest: seconds / t + cost of a team of t.
    cdef int limit, t, best = 1
    cdef double time, shortest = seconds
    if chunks < 2:
        return 1
    limit = thread_limit(asked)
    if limit > chunks:
        limit = <int>chunks
    if limit < 2 or (team_process != 0 and team_process != fastloss_process()):
        return 1
    if literal_threads and asked > 0:
        return limit
    for t in range(2, limit + 1):
        time = seconds / t + TEAM_COST + MEMBER_COST * t
        if time < shortest:
            shortest = time
            best = t
    return best


cdef void run_chunks(const Job* job, chunk_function function, int threads) noexcept nogil:
    global team_process
    cdef Py_ssize_t chunk
    if threads < 2:
        # Never through the OpenMP runtime: it may not be usable here, and it is not free.
        for chunk in range(job.chunks):
            function(job, chunk)
        return
    team_process = fastloss_process()
    for chunk in prange(job.chunks, num_threads=threads, schedule="static"):
        function(job, chunk)


cdef double tree_sum(double* slots, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    if n == 0:
        return 0
    while n > 1:
        for i in range(n // 2):
            slots[i] = slots[2 * i] + slots[2 * i + 1]
        if n & 1:
            slots[n // 2] = slots[n - 1]
        n = (n + 1) // 2
    return slots[0]
