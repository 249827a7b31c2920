/* How fast memory can be: arrays of floats read and written as a loss's inputs and outputs are,
   with hardly any arithmetic, by ordinary and by streaming stores. */

#include <omp.h>
#include <stddef.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define STREAM(pointer, vector) _mm512_stream_ps(pointer, (__m512)(vector))
#define BYTES 64
#elif defined(__AVX__)
#include <immintrin.h>
#define STREAM(pointer, vector) _mm256_stream_ps(pointer, (__m256)(vector))
#define BYTES 32
#elif defined(__SSE2__)
#include <immintrin.h>
#define STREAM(pointer, vector) _mm_stream_ps(pointer, (__m128)(vector))
#define BYTES 16
#else
#define STREAM(pointer, vector) (*(lanes *)(pointer) = (vector))
#define BYTES 16
#endif

typedef float lanes __attribute__((vector_size(BYTES), may_alias));
enum { LANES = BYTES / sizeof(float), UNROLL = 4, LINE = 64 / sizeof(float) };

static volatile float sink;

static inline __attribute__((always_inline)) void
put(float *pointer, lanes vector, int streaming)
{
    if (streaming)
        STREAM(pointer, vector);
    else
        *(lanes *)pointer = vector;
}

static inline __attribute__((always_inline)) void
pass(const float *a, const float *b, float *c, float *d, size_t begin, size_t end,
     int reads, int writes, int streaming)
{
    lanes total[UNROLL] = {{0}};
    size_t i = begin;
    for (; i + UNROLL * LANES <= end; i += UNROLL * LANES) {
        for (int k = 0; k < UNROLL; k++) {
            const size_t at = i + k * LANES;
            lanes x = *(const lanes *)(a + at);
            if (reads == 2)
                x += *(const lanes *)(b + at);
            if (writes == 0)
                total[k] += x;
            if (writes >= 1)
                put(c + at, x, streaming);
            if (writes == 2)
                put(d + at, x + x, streaming);
        }
    }
    for (; i < end; i += LANES) {
        lanes x = *(const lanes *)(a + i);
        if (reads == 2)
            x += *(const lanes *)(b + i);
        if (writes == 0)
            total[0] += x;
        if (writes >= 1)
            put(c + i, x, streaming);
        if (writes == 2)
            put(d + i, x + x, streaming);
    }
    if (writes == 0) {
        total[0] += total[1] + total[2] + total[3];
        sink = total[0][0] + total[0][LANES - 1];
    }
#ifdef __SSE2__
    if (streaming)
        _mm_sfence();
#endif
}

#define MIX(reads, writes)                                                                        \
    case 4 * reads + writes:                                                                      \
        if (streaming)                                                                            \
            pass(a, b, c, d, begin, end, reads, writes, 1);                                       \
        else                                                                                      \
            pass(a, b, c, d, begin, end, reads, writes, 0);                                       \
        break;

/* Pass `repeats` times over n floats, a multiple of LINE, of up to four aligned arrays. */
void
stream(int reads, int writes, int streaming, int threads, size_t n, size_t repeats,
       const float *a, const float *b, float *c, float *d)
{
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const size_t team = omp_get_num_threads(), me = omp_get_thread_num(), lines = n / LINE;
        const size_t begin = me * lines / team * LINE, end = (me + 1) * lines / team * LINE;
        for (size_t repeat = 0; repeat < repeats; repeat++) {
            switch (4 * reads + writes) {
                MIX(1, 0) MIX(2, 0) MIX(1, 1) MIX(2, 1) MIX(1, 2) MIX(2, 2)
            }
            /* One array after another: a call must have finished before the next one begins. */
            if (team > 1) {
#pragma omp barrier
            }
        }
    }
}
