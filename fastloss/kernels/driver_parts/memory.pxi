# Large results come from memory that earlier results have left behind. A system hands out pages one by
# one as they are touched, and clears each: a fresh gradient of 40 MB takes 5 ms in huge pages and
# 30 ms in small ones, where the loss itself takes 3. NumPy frees what its arrays held with the
# functions that allocated it (NEP 49), so the blocks come back here when a result dies.

cdef extern from "numpy/arrayobject.h":
    object PyDataMem_SetHandler(object handler)

cdef extern from "pythread.h" nogil:
    ctypedef void* PyThread_type_lock
    PyThread_type_lock PyThread_allocate_lock()
    int PyThread_acquire_lock(PyThread_type_lock lock, int wait)
    void PyThread_release_lock(PyThread_type_lock lock)

cdef extern from "driver_parts/memory.h" nogil:
    void fastloss_huge_pages(void* memory, size_t size)
    size_t fastloss_physical_memory()

cdef enum:
    # Smaller results are left to NumPy, whose allocator is quick there.
    CACHE_FROM = 1048576
    CACHED_BLOCKS = 16
    # Before a block's bytes, which begin a line of the cache, stands what it is.
    HEADER = 64

cdef struct Region:
    void* memory                # as malloc gave it
    size_t capacity

cdef Region* cached[CACHED_BLOCKS]        # oldest first
cdef int cached_blocks = 0
cdef size_t cached_bytes = 0
cdef size_t cache_limit = min(<size_t>1 << 30, fastloss_physical_memory() // 16)
cdef PyThread_type_lock cache_lock = PyThread_allocate_lock()


cdef Region* take_from_cache(int i) noexcept nogil:
    global cached_blocks, cached_bytes
    cdef Region* block = cached[i]
    cached_blocks -= 1
    cached_bytes -= block.capacity
    while i < cached_blocks:
        cached[i] = cached[i + 1]
        i += 1
    return block


cdef void shrink_cache(size_t limit, int blocks) noexcept nogil:
    # The oldest blocks go.
    while cached_blocks > 0 and (cached_bytes > limit or cached_blocks > blocks):
        free(take_from_cache(0).memory)


cdef void* cache_malloc(void* context, size_t size) noexcept nogil:
    cdef Region* block = NULL
    cdef void* memory
    cdef int i, best = -1
    PyThread_acquire_lock(cache_lock, 1)
    for i in range(cached_blocks):
        if (size <= cached[i].capacity <= size + size // 8
                and (best < 0 or cached[i].capacity <= cached[best].capacity)):
            best = i
    if best >= 0:
        block = take_from_cache(best)
    PyThread_release_lock(cache_lock)
    if block == NULL:
        memory = malloc(size + 2 * HEADER)
        if memory == NULL:
            PyThread_acquire_lock(cache_lock, 1)
            shrink_cache(0, 0)
            PyThread_release_lock(cache_lock)
            memory = malloc(size + 2 * HEADER)
        if memory == NULL:
            return NULL
        fastloss_huge_pages(memory, size)
        block = <Region*>((<size_t>memory + (HEADER - 1)) & ~<size_t>(HEADER - 1))
        block.memory = memory
        block.capacity = size
    return <char*>block + HEADER


cdef void cache_free(void* context, void* data, size_t size) noexcept nogil:
    global cached_blocks, cached_bytes
    cdef Region* block
    if data == NULL:
        return
    block = <Region*>(<char*>data - HEADER)
    PyThread_acquire_lock(cache_lock, 1)
    if block.capacity > cache_limit:
        free(block.memory)
    else:
        shrink_cache(cache_limit - block.capacity, CACHED_BLOCKS - 1)
        cached[cached_blocks] = block
        cached_blocks += 1
        cached_bytes += block.capacity
    PyThread_release_lock(cache_lock)


cdef void* cache_calloc(void* context, size_t count, size_t size) noexcept nogil:
    cdef void* data
    if size != 0 and count > (<size_t>-1) // 2 // size:
        return NULL
    data = cache_malloc(context, count * size)
    if data != NULL:
        memset(data, 0, count * size)
    return data


cdef void* cache_realloc(void* context, void* data, size_t size) noexcept nogil:
    cdef size_t capacity = 0
    cdef void* moved
    if data != NULL:
        capacity = (<Region*>(<char*>data - HEADER)).capacity
        if size <= capacity:
            return data
    moved = cache_malloc(context, size)
    if moved != NULL and data != NULL:
        memcpy(moved, data, capacity)
        cache_free(context, data, capacity)
    return moved


cdef cnp.PyDataMem_Handler cache_handler
strcpy(cache_handler.name, b"fastloss")
cache_handler.version = 1
cache_handler.allocator.ctx = NULL
cache_handler.allocator.malloc = cache_malloc
cache_handler.allocator.calloc = cache_calloc
cache_handler.allocator.realloc = cache_realloc
cache_handler.allocator.free = cache_free
cdef object cache_capsule = PyCapsule_New(&cache_handler, b"mem_handler", NULL)


cdef object begin_large(Py_ssize_t size):
    # Between this and the end NumPy allocates here, if it is about a large result.
    return PyDataMem_SetHandler(cache_capsule) if size >= CACHE_FROM else None


cdef int end_large(object before) except -1:
    if before is not None:
        PyDataMem_SetHandler(before)
    return 0


def set_cache_limit(limit) -> int:
    """Keep at most so many bytes of dead results' memory for new ones, and return what it was.

    A large result takes the place of an earlier one that nobody holds any more: fresh memory costs
    more time than the loss. What is kept is freed by ``set_cache_limit(0)``. The limit at first is
    1 GiB, or a sixteenth of the machine's memory if that is less, or the bytes that the environment
    variable ``FASTLOSS_CACHE_LIMIT`` says.

    Parameters
    ----------
    limit : int
        In bytes; 0 keeps nothing.

    Returns
    -------
    int
        The limit so far.

    Examples
    --------
    >>> import fastloss as fl
    >>> before = fl.set_cache_limit(2**28)
    >>> fl.set_cache_limit(before)
    268435456
    """
    global cache_limit
    before = cache_limit
    if isinstance(limit, bool) or not hasattr(limit, "__index__"):
        raise TypeError(f"limit must be an integer, got {type(limit).__name__}")
    limit = limit.__index__()
    if limit < 0:
        raise ValueError(f"limit must be at least 0, got {limit}")
    PyThread_acquire_lock(cache_lock, 1)
    cache_limit = min(limit, 2**62)
    shrink_cache(cache_limit, CACHED_BLOCKS)
    PyThread_release_lock(cache_lock)
    return before


def cache_use() -> tuple:
    """Return how many bytes are kept for new results now, and how many may be."""
    return cached_bytes, cache_limit
