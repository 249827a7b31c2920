/* Clock, threads and processes, the same words everywhere. */
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
static long fastloss_process(void) { return 0; } /* no fork */
static double fastloss_now(void) {
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart / (double)frequency.QuadPart;
}
#else
#include <time.h>
#include <unistd.h>
static long fastloss_process(void) { return (long)getpid(); }
static double fastloss_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
#endif

#endif
