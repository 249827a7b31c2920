/* Stores that go to memory past the caches. An ordinary store first reads the line that it is about to
   overwrite: a third more traffic where two arrays are read and one is written. */

#ifndef FASTLOSS_STREAM_H
#define FASTLOSS_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#define FASTLOSS_STREAMS 1
/* What was streamed is seen by other threads after this, at the latest. */
static inline void stream_fence(void) { _mm_sfence(); }
#else
#define FASTLOSS_STREAMS 0
static inline void stream_fence(void) {}
#endif

#if defined(__linux__)
#include <unistd.h>
#endif

/* From how many bytes of output on it is worth it. What was streamed has to be read from memory again:
   an optimiser that reads a gradient right after the call makes good for the gain where the cache
   would have held a part of it. Measured with such a read, both come out even at about half of the
   last cache, and a virtual machine's share of that is less than it says. */
static inline ptrdiff_t stream_threshold(void)
{
    ptrdiff_t threshold = 16 << 20;
#if defined(_SC_LEVEL3_CACHE_SIZE)
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (cache > 0 && cache / 2 < threshold)
        threshold = cache / 2;
#endif
    return threshold;
}

/* `n` elements of `size` bytes from `start` on, whole quarters of a line, go from a tile, aligned to 64
   bytes, to its home, aligned to 16, if it has one. Loops call this after a few lines: where a whole
   tile goes home in one go, the processor waits for the memory meanwhile, and after every store GCC
   would keep the sums in memory. */
static inline void stream_run(const void *tile, ptrdiff_t start, ptrdiff_t n, ptrdiff_t size,
                              void *home)
{
#if FASTLOSS_STREAMS
    const char *from = (const char *)tile + start * size;
    const char *stop = from + n * size;
    char *to = (char *)home + start * size;
    if (home == NULL)
        return;
#if defined(__AVX512F__)
    if (((intptr_t)to & 63) == 0) {
        for (; from < stop; from += 64, to += 64)
            _mm512_stream_si512((__m512i *)to, _mm512_load_si512(from));
        return;
    }
#endif
    /* Quarters of a line come together on their way. Whole lines would have to be put together from
       two stores each, which the processor does not forward to a load. */
    for (; from < stop; from += 16, to += 16)
        _mm_stream_si128((__m128i *)to, _mm_load_si128((const __m128i *)from));
#endif
}

/* Bytes from anywhere to anywhere: whole lines are streamed, what is left of the first and the last
   is not. */
static inline void stream_out(void *target_, const void *source_, size_t bytes)
{
    char *target = (char *)target_;
    const char *source = (const char *)source_;
#if FASTLOSS_STREAMS
    size_t head = (size_t)(-(intptr_t)target & 63);
    head = head < bytes ? head : bytes;
    memcpy(target, source, head);
    target += head;
    source += head;
    bytes -= head;
    for (; bytes >= 64; bytes -= 64, target += 64, source += 64) {
#if defined(__AVX512F__)
        _mm512_stream_si512((void *)target, _mm512_loadu_si512((const void *)source));
#elif defined(__AVX__)
        for (int i = 0; i < 64; i += 32)
            _mm256_stream_si256((__m256i *)(target + i),
                                _mm256_loadu_si256((const __m256i *)(source + i)));
#else
        for (int i = 0; i < 64; i += 16)
            _mm_stream_si128((__m128i *)(target + i),
                             _mm_loadu_si128((const __m128i *)(source + i)));
#endif
    }
#endif
    memcpy(target, source, bytes);
}

#endif
