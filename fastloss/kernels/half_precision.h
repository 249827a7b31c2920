/* float16 and bfloat16 as bits, converted without branches so that the loops vectorise.
   Rounding is to nearest, ties to even; subnormals, infinities and NaN are kept. */
#ifndef FASTLOSS_HALF_PRECISION_H
#define FASTLOSS_HALF_PRECISION_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

static inline uint32_t float_bits(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
static inline float float_from_bits(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }

static inline float bfloat_to_float(uint16_t h) { return float_from_bits((uint32_t)h << 16); }

static inline uint16_t float_to_bfloat(float x) {
    uint32_t u = float_bits(x);
    uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    /* Rounding could carry a NaN's payload into infinity: keep it a quiet NaN instead. */
    uint32_t nan = (u >> 16) | 0x40u;
    return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

static inline float half_to_float(uint16_t h) {
    /* The multiplication by 2^112 moves the exponent from float16's bias to float32's and
       normalises subnormals on the way. */
    float magnitude = float_from_bits((uint32_t)(h & 0x7fffu) << 13) * 0x1p112f;
    uint32_t bits = float_bits(magnitude);
    bits = (h & 0x7c00u) == 0x7c00u ? bits | 0x7f800000u : bits;
    return float_from_bits(bits | ((uint32_t)(h & 0x8000u) << 16));
}

static inline uint16_t float_to_half(float x) {
    uint32_t u = float_bits(x);
    uint32_t sign = (u >> 16) & 0x8000u;
    uint32_t magnitude = u & 0x7fffffffu;
    /* Normal results: rebias the exponent and round the mantissa to 10 bits in integers. */
    uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    /* Subnormal results: adding 0.5 makes the floating-point unit round at 2^-24. */
    uint32_t subnormal = float_bits(float_from_bits(magnitude) + 0.5f) - 0x3f000000u;
    uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
    half = magnitude >= 0x477ff000u ? 0x7c00u : half;
    half = magnitude > 0x7f800000u ? 0x7e00u : half;
    return (uint16_t)(half | sign);
}

/* Runs of float16. Processors have instructions for these since AVX, a quarter of the arithmetic above,
   which compilers do not see in it. Stores are as wide as the loads that follow: of two narrow ones
   the processor does not make a wide one in flight. The last few go through a whole vector as well, so
   that a NaN's payload does not depend on where it stands. */
#if defined(__AVX512F__)
#define HALF_RUN 16
static inline void half_run_in(const uint16_t *x, float *y) {
    _mm512_storeu_ps(y, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)x)));
}
static inline void half_run_out(const float *x, uint16_t *y) {
    _mm256_storeu_si256((__m256i *)y,
                        _mm512_cvtps_ph(_mm512_loadu_ps(x), _MM_FROUND_TO_NEAREST_INT));
}
#elif defined(__F16C__)
#define HALF_RUN 8
static inline void half_run_in(const uint16_t *x, float *y) {
    _mm256_storeu_ps(y, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)x)));
}
static inline void half_run_out(const float *x, uint16_t *y) {
    _mm_storeu_si128((__m128i *)y,
                     _mm256_cvtps_ph(_mm256_loadu_ps(x), _MM_FROUND_TO_NEAREST_INT));
}
#else
#define HALF_RUN 1
static inline void half_run_in(const uint16_t *x, float *y) { *y = half_to_float(*x); }
static inline void half_run_out(const float *x, uint16_t *y) { *y = float_to_half(*x); }
#endif

static inline void halves_to_floats(const uint16_t *x, ptrdiff_t n, float *y) {
    ptrdiff_t i;
    for (i = 0; i + HALF_RUN <= n; i += HALF_RUN)
        half_run_in(x + i, y + i);
    if (i < n) {
        uint16_t last[HALF_RUN] = {0};
        float wide[HALF_RUN];
        memcpy(last, x + i, (n - i) * sizeof(*x));
        half_run_in(last, wide);
        memcpy(y + i, wide, (n - i) * sizeof(*y));
    }
}

static inline void floats_to_halves(const float *x, ptrdiff_t n, uint16_t *y) {
    ptrdiff_t i;
    for (i = 0; i + HALF_RUN <= n; i += HALF_RUN)
        half_run_out(x + i, y + i);
    if (i < n) {
        float last[HALF_RUN] = {0};
        uint16_t narrow[HALF_RUN];
        memcpy(last, x + i, (n - i) * sizeof(*x));
        half_run_out(last, narrow);
        memcpy(y + i, narrow, (n - i) * sizeof(*y));
    }
}

#endif
