# Chunks over threads. A chunk's bounds depend on the shape alone, each chunk has a slot of its own
# for its sums, and the slots are combined in a fixed tree by one thread: the bits of a result do not
# depend on how many threads there were.

cdef extern from "driver_parts/threads.h" nogil:
    long FASTLOSS_OPENMP
    int fastloss_max_threads()
    int fastloss_thread()
    long fastloss_process()
    double fastloss_now()
    unsigned fastloss_enter()
    void fastloss_leave(unsigned before)
    long fastloss_load(long* x)
    long fastloss_increment(long* x)        # returns what it was

# `slot` numbers the threads of this call. It is not omp_get_thread_num() outside a team of our own: a
# caller may be a member of somebody else's.
ctypedef void (*chunk_function)(const Job* job, Py_ssize_t chunk, int slot) noexcept nogil

cdef enum:
    # Below this many bytes of work the interpreter's lock is kept: giving it up and taking it back
    # would cost more than it lets others do.
    KEEP_LOCK_BELOW = 4096

# What a team of 2, 4, 8, ... threads costs before it does any work, in seconds: an entry and an exit of
# a parallel region by threads that are still awake. Measured when a call first thinks of such a team,
# 0 before. Runtimes and machines differ tenfold.
cdef enum:
    TEAM_SIZES = 16
    TEAM_TRIALS = 20
    # Threads beyond these begin with somebody else's share.
    MAX_SHARES = 64
    TRIAL_EVERY = 32

# Work that takes one thread less than this is never worth a team.
cdef double LEAST_TEAM_WORK = 4e-6
# Of work that takes longer a team's gain is plain.
cdef double TRIAL_BELOW = 50e-6
cdef double team_costs[TEAM_SIZES]
memset(team_costs, 0, sizeof(team_costs))
# On a machine that is busy with something else a team waits for its slowest member, often a hundred
# times longer than the call would have taken alone. A team that was slower is therefore not tried
# again before some work was done on one thread: as many seconds of it as were lost, since a single
# loss may be an accident, four times as many after a second one and ten times after more, so that in
# the long run trying costs a tenth at most.
cdef double team_pause = 0
cdef int team_losses = 0
cdef double MOST_PAUSE = 10
# The process that imported this module. libgomp's threads do not survive a fork: in a child a team
# would wait for ever for members that are gone, whoever started them, so a child computes alone,
# with the same bits.
cdef long home_process = fastloss_process()
cdef int environment_limit = 0
cdef bint literal_threads = False


cdef object environment_integer(str name, int least):
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise ValueError(
            f"the environment variable {name} must be an integer of at least {least}, got {text!r}"
        )
    return int(text)


def read_environment():
    """Read FASTLOSS_NUM_THREADS, the upper bound for every call, and FASTLOSS_CACHE_LIMIT."""
    global environment_limit
    environment_limit = min(environment_integer("FASTLOSS_NUM_THREADS", 1) or 0, 2**31 - 1)
    limit = environment_integer("FASTLOSS_CACHE_LIMIT", 0)
    if limit is not None:
        set_cache_limit(limit)


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


cdef double team_cost(int threads) noexcept nogil:
    # The shortest of a few empty regions, since a longer one says what else the machine does; it may
    # do that all the while, and no team costs more than a microsecond or two a member by itself.
    cdef double start, seconds, shortest = 2e-6 + 1e-6 * threads
    cdef int size = 0
    cdef int trial, member
    while size < TEAM_SIZES - 1 and (2 << size) < threads:
        size += 1
    if team_costs[size] == 0:
        for trial in range(TEAM_TRIALS):
            start = fastloss_now()
            for member in prange(threads, num_threads=threads, schedule="static"):
                pass
            seconds = fastloss_now() - start
            if seconds < shortest:
                shortest = seconds
        team_costs[size] = shortest
    return team_costs[size]


cdef int thread_count(Py_ssize_t chunks, double seconds, int asked) noexcept nogil:
    # As many threads as make the call shortest: seconds / t + cost of a team of t.
    cdef int limit, t = 2, best = 1
    cdef double time, shortest = seconds
    if chunks < 2:
        return 1
    limit = thread_limit(asked)
    if limit > chunks:
        limit = <int>chunks
    if limit < 2 or home_process != fastloss_process():
        return 1
    if literal_threads and asked > 0:
        return limit
    if team_pause > 0 or seconds < LEAST_TEAM_WORK:
        return 1
    while True:
        time = seconds / t + team_cost(t)
        if time >= shortest:
            # Larger teams cost more and gain less.
            return best
        shortest = time
        best = t
        if t == limit:
            return best
        t = min(2 * t, limit)


# Neighbouring chunks of a call, and the next one that no thread has begun.
cdef struct Share:
    long next
    long stop
    long others[14]             # on two lines of the cache, which the processor fetches in pairs


cdef void run_shares(const Job* job, chunk_function function, Share* shares, int n, int own,
                     int slot) noexcept nogil:
    # A thread's own share, then what is left of the others'.
    cdef unsigned state = fastloss_enter()
    cdef long chunk
    cdef int i
    cdef Share* share
    for i in range(n):
        share = &shares[(own + i) % n]
        while True:
            # Looked at first: what is used up is not written to again.
            if fastloss_load(&share.next) >= share.stop:
                break
            chunk = fastloss_increment(&share.next)
            if chunk >= share.stop:
                break
            function(job, chunk, slot)
    fastloss_leave(state)


cdef void run_chunks(const Job* job, chunk_function function, Py_ssize_t first,
                     int threads) noexcept nogil:
    cdef Share shares[MAX_SHARES]
    cdef Py_ssize_t chunk
    cdef int member
    cdef int n = min(threads, <int>MAX_SHARES)
    cdef unsigned state
    if threads < 2:
        # Never through the OpenMP runtime: it may not be usable here, and it is not free.
        state = fastloss_enter()
        for chunk in range(first, job.chunks):
            function(job, chunk, 0)
        fastloss_leave(state)
        return
    # A thread begins with the same chunks in every call of one size: its cache has them from the last
    # one. Handed out as they come, arrays that fit the caches took half as long again. Who is done
    # helps the others: a thread that the system has put aside for a while holds them up less.
    for member in range(n):
        shares[member].next = <long>(first + (job.chunks - first) * member // n)
        shares[member].stop = <long>(first + (job.chunks - first) * (member + 1) // n)
    for member in prange(threads, num_threads=threads, schedule="static", chunksize=1):
        run_shares(job, function, shares, n, member % n, fastloss_thread())


# What a loss costs in one mode and type. It decides about threads, never about results.
cdef struct Cost:
    double seconds              # of an element on one thread; 0 before the first call
    unsigned long calls


cdef bint is_trial(const Cost* cost, double alone) noexcept nogil:
    # Whether a call is made on one thread to see what that takes. The first call was cold, and where a
    # team gains little a wrong number would keep itself alive: a team's time does not tell.
    return cost.calls == 1 or (cost.calls % TRIAL_EVERY == 0 and alone < TRIAL_BELOW)


cdef void run_timed(const Job* job, chunk_function function, Cost* cost, Py_ssize_t elements,
                    int asked, int most) noexcept nogil:
    # Runs a job of several chunks on as many threads as are worth it.
    global team_pause, team_losses
    cdef double start = fastloss_now()
    cdef double seconds, alone
    cdef Py_ssize_t first = 0
    cdef int threads
    cdef unsigned state
    if cost.seconds == 0:
        state = fastloss_enter()
        function(job, 0, 0)
        fastloss_leave(state)
        seconds = fastloss_now()
        cost.seconds = max((seconds - start) * job.chunks / elements, 1e-13)
        start = seconds
        first = 1
    alone = cost.seconds * elements * (job.chunks - first) / job.chunks
    threads = min(thread_count(job.chunks - first, alone, asked), most)
    if threads > 1 and is_trial(cost, alone) and not literal_threads:
        threads = 1
    cost.calls += 1
    run_chunks(job, function, first, threads)
    seconds = fastloss_now() - start
    if threads < 2:
        # A call is slow for many reasons, and fast for one.
        cost.seconds *= min(seconds / alone, 0.75 + 0.25 * min(seconds / alone, 4.0))
        team_pause = max(team_pause - seconds, 0.0)
    elif seconds > alone:
        team_losses = min(team_losses + 1, 3)
        team_pause = (seconds - alone) * min(<double>(1 << (2 * (team_losses - 1))), MOST_PAUSE)
    else:
        team_losses = max(team_losses - 1, 0)
        # A team cannot be faster than its members together.
        cost.seconds *= min(seconds * threads / alone, 1.0)


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
