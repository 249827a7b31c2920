/* Clock, threads, processes, atomic counters and the state of floating-point arithmetic, the same words
   everywhere. */
#ifndef FASTLOSS_THREADS_H
#define FASTLOSS_THREADS_H

#ifdef _OPENMP
#include <omp.h>
#define FASTLOSS_OPENMP _OPENMP
static int fastloss_max_threads(void) { return omp_get_max_threads(); }
static int fastloss_thread(void) { return omp_get_thread_num(); }
#else
#define FASTLOSS_OPENMP 0
static int fastloss_max_threads(void) { return 1; }
static int fastloss_thread(void) { return 0; }
#endif

#ifdef _WIN32
#include <windows.h>
#define fastloss_yield() SwitchToThread()
static long fastloss_process(void) { return 0; } /* no fork */
static double fastloss_now(void) {
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart / (double)frequency.QuadPart;
}
#else
#include <sched.h>
#include <time.h>
#include <unistd.h>
#define fastloss_yield() sched_yield()
static long fastloss_process(void) { return (long)getpid(); }
static double fastloss_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
#endif

/* Other libraries have a thread round subnormal numbers to zero and forget it, or have it while they call
   us; a thread inherits that from the one that starts it. The bits of a result depend on neither: we
   compute in the state in which a program begins and go back to the one that was there. */
#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#define FASTLOSS_STATE 0x1f80u
#define fastloss_get_state() (_mm_getcsr() & ~0x3fu)
#define fastloss_set_state(state) _mm_setcsr(state)
#elif defined(__aarch64__) && !defined(_MSC_VER)
#define FASTLOSS_STATE 0u
static unsigned fastloss_get_state(void) {
    unsigned long state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return (unsigned)state;
}
static void fastloss_set_state(unsigned state) {
    __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)state));
}
#else
#define FASTLOSS_STATE 0u
#define fastloss_get_state() 0u
#define fastloss_set_state(state) ((void)(state))
#endif
static unsigned fastloss_enter(void) {
    unsigned before = fastloss_get_state();
    if (before != FASTLOSS_STATE)
        fastloss_set_state(FASTLOSS_STATE);
    return before;
}
static void fastloss_leave(unsigned before) {
    if (before != FASTLOSS_STATE)
        fastloss_set_state(before);
}

#if defined(_MSC_VER) && !defined(__clang__)
static long fastloss_load(volatile long *x) { return InterlockedOr(x, 0); }
static void fastloss_store(volatile long *x, long value) { InterlockedExchange(x, value); }
static long fastloss_increment(volatile long *x) { return InterlockedExchangeAdd(x, 1); }
static int fastloss_swap(volatile long *x, long old, long value) {
    return InterlockedCompareExchange(x, value, old) == old;
}
#else
static long fastloss_load(volatile long *x) { return __atomic_load_n(x, __ATOMIC_SEQ_CST); }
static void fastloss_store(volatile long *x, long value) {
    __atomic_store_n(x, value, __ATOMIC_SEQ_CST);
}
static long fastloss_increment(volatile long *x) {
    return __atomic_fetch_add(x, 1, __ATOMIC_SEQ_CST);
}
static int fastloss_swap(volatile long *x, long old, long value) {
    return __atomic_compare_exchange_n(x, &old, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
#endif

#endif
