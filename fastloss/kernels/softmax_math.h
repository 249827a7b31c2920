/* The innermost pass of a softmax: exponentials of a few numbers side by side, and their sums.
 *
 * AVX-512 has two things that loops in C do not come to: an instruction that multiplies by 2^n, down
 * into the subnormals, and additions under a mask. Together they save a third of the time.
 */
#ifndef FASTLOSS_SOFTMAX_MATH_H
#define FASTLOSS_SOFTMAX_MATH_H

#include "vector_math.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

/* As many as tiles.pxi's LANES. */
#define FASTLOSS_LANES 32

/* exp for x <= 0 (and NaN) by Horner's rule alone, without the exact 1 + r of exp_nonpositive: four
 * operations less of twenty-two, for 0.3 ulp more. exp(0) is 1 all the same. */
FASTLOSS_INLINE float exp_term_f32(float x)
{
    const reduced_f32 r = reduce_f32(at_least_f32(x, -104.0f));
    float p = multiply_add_f32(exp_cubic_f32(r.high), r.high, 0.5f);
    p = multiply_add_f32(p, r.high, 1.0f);
    p = multiply_add_f32(p, r.high, 1.0f);
    return p * float_of_bits(r.exponent + EXPONENT_F32(32)) * 0x1p-32f;
}

FASTLOSS_INLINE double exp_term_f64(double x)
{
    const reduced_f64 r = reduce_f64(at_least_f64(x, -746.0));
    double p = multiply_add_f64(exp_cubic_f64(r.high), r.high, 0.5);
    p = multiply_add_f64(p, r.high, 1.0);
    p = multiply_add_f64(p, r.high, 1.0);
    return p * double_of_bits(r.exponent + EXPONENT_F64(64)) * 0x1p-64;
}

/* e = exp(z - m), where e may be z; what is not the maximum goes to `part`, what is it to `ties`. */
#if defined(__AVX512F__)

FASTLOSS_INLINE __m512 exp_vector_f32(__m512 d)
{
    const __m512 one = _mm512_set1_ps(1.0f), shift = _mm512_set1_ps(ROUNDER_F32);
    /* In this order a NaN stays. */
    const __m512 x = _mm512_max_ps(_mm512_set1_ps(-104.0f), d);
    const __m512 n =
        _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(PER_LN2_F32), shift), shift);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-LN2_HIGH_F32), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-LN2_LOW_F32), r);
    __m512 p = EXP_CUBIC_F32(_mm512_fmadd_ps, _mm512_set1_ps, r);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, one);
    return _mm512_scalef_ps(_mm512_fmadd_ps(p, r, one), n);
}

FASTLOSS_INLINE __m512d exp_vector_f64(__m512d d)
{
    const __m512d one = _mm512_set1_pd(1.0), shift = _mm512_set1_pd(ROUNDER_F64);
    const __m512d x = _mm512_max_pd(_mm512_set1_pd(-746.0), d);
    const __m512d n =
        _mm512_sub_pd(_mm512_fmadd_pd(x, _mm512_set1_pd(PER_LN2_F64), shift), shift);
    __m512d r = _mm512_fmadd_pd(n, _mm512_set1_pd(-LN2_HIGH_F64), x);
    r = _mm512_fmadd_pd(n, _mm512_set1_pd(-LN2_LOW_F64), r);
    const __m512d square = _mm512_mul_pd(r, r);
    __m512d p = EXP_CUBIC_F64(_mm512_fmadd_pd, _mm512_set1_pd, r, square);
    p = _mm512_fmadd_pd(p, r, _mm512_set1_pd(0.5));
    p = _mm512_fmadd_pd(p, r, one);
    return _mm512_scalef_pd(_mm512_fmadd_pd(p, r, one), n);
}

FASTLOSS_INLINE void exp_lanes_f32(const float *z, const float *m, float *e, float *part,
                                   float *ties)
{
    for (int i = 0; i < FASTLOSS_LANES; i += 16) {
        const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(z + i), _mm512_loadu_ps(m + i));
        const __mmask16 tie = _mm512_cmp_ps_mask(d, _mm512_setzero_ps(), _CMP_EQ_OQ);
        const __m512 x = exp_vector_f32(d);
        const __m512 sum = _mm512_loadu_ps(part + i), count = _mm512_loadu_ps(ties + i);
        _mm512_storeu_ps(part + i, _mm512_mask_add_ps(sum, (__mmask16)~tie, sum, x));
        _mm512_storeu_ps(ties + i, _mm512_mask_add_ps(count, tie, count, _mm512_set1_ps(1.0f)));
        _mm512_storeu_ps(e + i, x);
    }
}

FASTLOSS_INLINE void exp_lanes_f64(const double *z, const double *m, double *e, double *part,
                                   double *ties)
{
    for (int i = 0; i < FASTLOSS_LANES; i += 8) {
        const __m512d d = _mm512_sub_pd(_mm512_loadu_pd(z + i), _mm512_loadu_pd(m + i));
        const __mmask8 tie = _mm512_cmp_pd_mask(d, _mm512_setzero_pd(), _CMP_EQ_OQ);
        const __m512d x = exp_vector_f64(d);
        const __m512d sum = _mm512_loadu_pd(part + i), count = _mm512_loadu_pd(ties + i);
        _mm512_storeu_pd(part + i, _mm512_mask_add_pd(sum, (__mmask8)~tie, sum, x));
        _mm512_storeu_pd(ties + i, _mm512_mask_add_pd(count, tie, count, _mm512_set1_pd(1.0)));
        _mm512_storeu_pd(e + i, x);
    }
}

#else

FASTLOSS_INLINE void exp_lanes_f32(const float *z, const float *m, float *e, float *part,
                                   float *ties)
{
    for (int i = 0; i < FASTLOSS_LANES; i++) {
        const float d = z[i] - m[i], x = exp_term_f32(d);
        part[i] += d == 0.0f ? 0.0f : x;
        ties[i] += d == 0.0f ? 1.0f : 0.0f;
        e[i] = x;
    }
}

FASTLOSS_INLINE void exp_lanes_f64(const double *z, const double *m, double *e, double *part,
                                   double *ties)
{
    for (int i = 0; i < FASTLOSS_LANES; i++) {
        const double d = z[i] - m[i], x = exp_term_f64(d);
        part[i] += d == 0.0 ? 0.0 : x;
        ties[i] += d == 0.0 ? 1.0 : 0.0;
        e[i] = x;
    }
}

#endif

#endif
