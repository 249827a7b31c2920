/* Functions for the inner loops of the kernels, at most 1 ulp from the true value if elementary and
 * at most 2 if not, or where it is said.
 *
 * Plain C11 without intrinsics, tables, branches or calls, so that a compiler turns
 *
 *     for (i = 0; i < n; i++) y[i] = exp_f32(x[i]);
 *
 * into vector code of whatever width the flags allow. What that takes:
 *
 *   - Flags -fno-math-errno -fno-trapping-math: else a ternary is a jump and the loop is scalar.
 *   - Never -ffast-math or -fassociative-math: they delete the low parts (a - (a + b)) + b that
 *     the accuracy rests on. Give -ffp-contract=off: contraction is said here, by multiply_add,
 *     so that the same source rounds in the same way under every compiler.
 *   - No conversion between 64-bit integers and doubles, and no arithmetic right shift of 64 bits:
 *     AVX2 has neither. Integers travel in the low bits of a double near 2^52 instead.
 *   - A double inside a float function would halve its width, so none is there (one place without
 *     FMA excepted).
 *
 * Signed zeros, subnormals (in and out), infinities and NaN are treated as C's Annex F has it; the
 * floating-point exception flags are not. Every ternary is written such that NaN, for which each
 * comparison is false, takes the arm that keeps it.
 *
 * The errors are measured by benchmarks/exhaustive_math.py: float32 over every input there is.
 */
#ifndef FASTLOSS_VECTOR_MATH_H
#define FASTLOSS_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "vector_math.h relies on the order of its operations and on NaN: no -ffast-math"
#endif

/* GCC knows contraction by its flag alone; these two have a pragma, and Arm's clang contracts by
 * default. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

/* Forced: a kernel that calls several of these is past the size at which compilers inline by
 * themselves, and one call left in a loop keeps the whole loop scalar. */
#if defined(_MSC_VER)
#define FASTLOSS_INLINE static __forceinline
#else
#define FASTLOSS_INLINE static inline __attribute__((always_inline))
#endif

/* MSVC has the instruction at /arch:AVX2, but not as something that a loop vectorises. */
#if (defined(__GNUC__) || defined(__clang__)) && \
    (defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__))
#define FASTLOSS_FMA 1
#else
#define FASTLOSS_FMA 0
#endif

/* ---- Bit casts ------------------------------------------------------------------------------ */

FASTLOSS_INLINE uint32_t bits_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

FASTLOSS_INLINE uint64_t bits_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

FASTLOSS_INLINE float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

FASTLOSS_INLINE double double_of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^n once added to n << (width of the fraction). */
#define EXPONENT_F32(n) ((uint32_t)(127 + (n)) << 23)
#define EXPONENT_F64(n) ((uint64_t)(1023 + (n)) << 52)

/* 2^n x, which must be a normal number, with n << (width of the fraction) modulo 2^32 or 2^64. */
FASTLOSS_INLINE float times_power_f32(float x, uint32_t exponent)
{
    return float_of_bits(bits_f32(x) + exponent);
}

FASTLOSS_INLINE double times_power_f64(double x, uint64_t exponent)
{
    return double_of_bits(bits_f64(x) + exponent);
}

FASTLOSS_INLINE float absolute_f32(float x)
{
    return float_of_bits(bits_f32(x) & 0x7fffffffu);
}

FASTLOSS_INLINE double absolute_f64(double x)
{
    return double_of_bits(bits_f64(x) & 0x7fffffffffffffffu);
}

/* x with its sign changed where that of y is set. */
FASTLOSS_INLINE float flip_sign_f32(float x, float y)
{
    return float_of_bits(bits_f32(x) ^ (bits_f32(y) & 0x80000000u));
}

FASTLOSS_INLINE double flip_sign_f64(double x, double y)
{
    return double_of_bits(bits_f64(x) ^ (bits_f64(y) & 0x8000000000000000u));
}

FASTLOSS_INLINE float with_sign_f32(float magnitude, float sign)
{
    return float_of_bits((bits_f32(magnitude) & 0x7fffffffu) | (bits_f32(sign) & 0x80000000u));
}

FASTLOSS_INLINE double with_sign_f64(double magnitude, double sign)
{
    return double_of_bits((bits_f64(magnitude) & 0x7fffffffffffffffu) |
                          (bits_f64(sign) & 0x8000000000000000u));
}

/* `plus` where the sign bit of x is clear and `minus` where it is set. Without a comparison, which
 * takes a multiplier's turn, and with one mask for two selects that are each other's opposite: as
 * ternaries they compare twice. */
FASTLOSS_INLINE float by_sign_f32(float x, float plus, float minus)
{
    const uint32_t mask = 0u - (bits_f32(x) >> 31);
    return float_of_bits(bits_f32(plus) ^ ((bits_f32(plus) ^ bits_f32(minus)) & mask));
}

FASTLOSS_INLINE double by_sign_f64(double x, double plus, double minus)
{
    const uint64_t mask = 0u - (bits_f64(x) >> 63);
    return double_of_bits(bits_f64(plus) ^ ((bits_f64(plus) ^ bits_f64(minus)) & mask));
}

FASTLOSS_INLINE float at_least_f32(float x, float low) { return x < low ? low : x; }
FASTLOSS_INLINE double at_least_f64(double x, double low) { return x < low ? low : x; }
FASTLOSS_INLINE float at_most_f32(float x, float high) { return x > high ? high : x; }
FASTLOSS_INLINE double at_most_f64(double x, double high) { return x > high ? high : x; }

/* Both bounds are compared with x itself: nested, the two become a diamond of jumps that costs a
 * vector loop twice as many blends. */
FASTLOSS_INLINE float clip_f32(float x, float low, float high)
{
    const float bounded = at_least_f32(x, low);
    return x > high ? high : bounded;
}

FASTLOSS_INLINE double clip_f64(double x, double low, double high)
{
    const double bounded = at_least_f64(x, low);
    return x > high ? high : bounded;
}

/* ---- Multiply-add ---------------------------------------------------------------------------
 * multiply_add is fused only where that is free: callers must be right with either rounding.
 * The one place that cannot do without the exact product has a function of its own below.
 */

FASTLOSS_INLINE float multiply_add_f32(float a, float b, float c)
{
#if FASTLOSS_FMA
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

FASTLOSS_INLINE double multiply_add_f64(double a, double b, double c)
{
#if FASTLOSS_FMA
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

/* c - a b without rounding error, for an a b so near to c that the difference is representable:
 * what is left of c by a quotient a of c and b that is right to about an ulp, for one. */
FASTLOSS_INLINE float remainder_f32(float c, float a, float b)
{
#if FASTLOSS_FMA
    return __builtin_fmaf(-a, b, c);
#else
    return (float)((double)c - (double)a * (double)b);
#endif
}

FASTLOSS_INLINE double remainder_f64(double c, double a, double b)
{
#if FASTLOSS_FMA
    return __builtin_fma(-a, b, c);
#else
    /* Dekker's product of Veltkamp's halves; callers stay far from where 2^27 a overflows. */
    const double a_shifted = a * 0x1.0000002p27, b_shifted = b * 0x1.0000002p27;
    const double a_high = a_shifted - (a_shifted - a), b_high = b_shifted - (b_shifted - b);
    const double a_low = a - a_high, b_low = b - b_high;
    const double product = a * b;
    const double error =
        ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    return (c - product) - error;
#endif
}

/* An unevaluated sum: high is the sum rounded, low what that rounding dropped. */
typedef struct { float high, low; } pair_f32;
typedef struct { double high, low; } pair_f64;

/* a + b with nothing lost, for |a| >= |b| (or a = 0). */
FASTLOSS_INLINE pair_f32 ordered_sum_f32(float a, float b)
{
    const float sum = a + b;
    return (pair_f32){sum, (a - sum) + b};
}

FASTLOSS_INLINE pair_f64 ordered_sum_f64(double a, double b)
{
    const double sum = a + b;
    return (pair_f64){sum, (a - sum) + b};
}

/* a + b with nothing lost, in any order (Knuth). */
FASTLOSS_INLINE pair_f32 exact_sum_f32(float a, float b)
{
    const float sum = a + b, b_part = sum - a;
    return (pair_f32){sum, (a - (sum - b_part)) + (b - b_part)};
}

FASTLOSS_INLINE pair_f64 exact_sum_f64(double a, double b)
{
    const double sum = a + b, b_part = sum - a;
    return (pair_f64){sum, (a - (sum - b_part)) + (b - b_part)};
}

/* factor * x + more, with as few roundings as there can be. */
FASTLOSS_INLINE float times_pair_f32(float factor, pair_f32 x, float more)
{
#if FASTLOSS_FMA
    return __builtin_fmaf(factor, x.high, __builtin_fmaf(factor, x.low, more));
#else
    return factor * (x.high + x.low) + more;
#endif
}

FASTLOSS_INLINE double times_pair_f64(double factor, pair_f64 x, double more)
{
#if FASTLOSS_FMA
    return __builtin_fma(factor, x.high, __builtin_fma(factor, x.low, more));
#else
    return factor * (x.high + x.low) + more;
#endif
}

/* The quotient of two pairs, for one division: what the reciprocal and its product got wrong is in
 * the remainder, and the remainder needs no more than the reciprocal's own accuracy. */
FASTLOSS_INLINE float quotient_f32(pair_f32 numerator, pair_f32 denominator)
{
    const float reciprocal = 1.0f / denominator.high;
    const float quotient = numerator.high * reciprocal;
    const float remainder = remainder_f32(numerator.high, quotient, denominator.high) +
                            multiply_add_f32(-quotient, denominator.low, numerator.low);
    return multiply_add_f32(remainder, reciprocal, quotient);
}

FASTLOSS_INLINE double quotient_f64(pair_f64 numerator, pair_f64 denominator)
{
    const double reciprocal = 1.0 / denominator.high;
    const double quotient = numerator.high * reciprocal;
    const double remainder = remainder_f64(numerator.high, quotient, denominator.high) +
                             multiply_add_f64(-quotient, denominator.low, numerator.low);
    return multiply_add_f64(remainder, reciprocal, quotient);
}

/* ---- The exponential family -----------------------------------------------------------------
 * x = n ln2 + r with n the integer nearest to x / ln2, so |r| <= ln2 / 2, and e^x = 2^n e^r.
 */

typedef struct {
    float high, low;   /* r and what its rounding dropped */
    uint32_t exponent; /* n << 23, modulo 2^32 */
} reduced_f32;

typedef struct {
    double high, low;  /* r and what its rounding dropped */
    uint64_t exponent; /* n << 52, modulo 2^64 */
} reduced_f64;

/* Adding 1.5 * 2^23 leaves round(x / ln2) in the low bits, as a float and as an integer at once.
 * ln2 is split such that n times its high part (15 bits) is exact even without FMA. */
#define ROUNDER_F32 0x1.8p23f
#define PER_LN2_F32 0x1.715476p0f
#define LN2_HIGH_F32 0x1.62e4p-1f
#define LN2_LOW_F32 0x1.7f7d1cp-20f
#define ROUNDER_F64 0x1.8p52
#define PER_LN2_F64 0x1.71547652b82fep0
#define LN2_HIGH_F64 0x1.62e42fefa38p-1
#define LN2_LOW_F64 0x1.ef35793c7673p-45

FASTLOSS_INLINE reduced_f32 reduce_f32(float x)
{
    const float shifted = multiply_add_f32(x, PER_LN2_F32, ROUNDER_F32);
    const float n = shifted - ROUNDER_F32;
    const float coarse = multiply_add_f32(n, -LN2_HIGH_F32, x);
    const float high = multiply_add_f32(n, -LN2_LOW_F32, coarse);
    const float low = multiply_add_f32(n, -LN2_LOW_F32, coarse - high);
    return (reduced_f32){high, low, bits_f32(shifted) << 23};
}

FASTLOSS_INLINE reduced_f64 reduce_f64(double x)
{
    const double shifted = multiply_add_f64(x, PER_LN2_F64, ROUNDER_F64);
    const double n = shifted - ROUNDER_F64;
    const double coarse = multiply_add_f64(n, -LN2_HIGH_F64, x);
    const double high = multiply_add_f64(n, -LN2_LOW_F64, coarse);
    const double low = multiply_add_f64(n, -LN2_LOW_F64, coarse - high);
    return (reduced_f64){high, low, bits_f64(shifted) << 52};
}

/* c of e^r = 1 + r + r^2/2 + r^3 c(r), minimax on |r| <= ln2 / 2. What it minimises is the error
 * in ulp of 2^n e^r - 1 at the worst n, which is n = 1 in float32 (there the 1 halves the result and
 * not the error): 0.21 ulp, and 0.25 in float64; to e^r it is worth a third of that.
 *
 * Here and below, float64 takes its coefficients in two chains, of even and odd powers: one chain
 * of so many is a latency that a loop cannot hide. The last ones stay in one chain, for their
 * roundings reach the result. As macros, for softmax_math.h computes them in registers. */
#define EXP_CUBIC_F32(fma, number, r)                                                            \
    fma(fma(fma(number(0x1.6ad984p-10f), r, number(0x1.121f2ap-7f)), r,                          \
            number(0x1.55570cp-5f)), r, number(0x1.5554cp-3f))
#define EXP_CUBIC_EVEN_F64(fma, number, square)                                                  \
    fma(fma(fma(number(0x1.adc3ea76dbc03p-26), square, number(0x1.71dedee871adbp-19)), square,   \
            number(0x1.a01a015805750p-13)), square, number(0x1.111111111c45bp-7))
#define EXP_CUBIC_ODD_F64(fma, number, square)                                                   \
    fma(fma(fma(number(0x1.28987de6aff4bp-22), square, number(0x1.a019b29a31239p-16)), square,   \
            number(0x1.6c16c17a4786bp-10)), square, number(0x1.5555555553a4dp-5))
#define EXP_CUBIC_F64(fma, number, r, square)                                                    \
    fma(EXP_CUBIC_EVEN_F64(fma, number, square), square,                                         \
        fma(EXP_CUBIC_ODD_F64(fma, number, square), r, number(0x1.5555555555536p-3)))

FASTLOSS_INLINE float exp_cubic_f32(float r)
{
    return EXP_CUBIC_F32(multiply_add_f32, (float), r);
}

FASTLOSS_INLINE double exp_cubic_f64(double r)
{
    const double square = r * r;
    return EXP_CUBIC_F64(multiply_add_f64, (double), r, square);
}

/* e^r, without the low part of r, which is worth less than 0.2 ulp. With FMA every rounding but the
 * last is multiplied by r on its way into the result. Without, the last product rounds as well, and
 * there 1 + r is kept exact. */
FASTLOSS_INLINE float exp_rounded_f32(float r)
{
    const float quotient = multiply_add_f32(exp_cubic_f32(r), r, 0.5f);
#if FASTLOSS_FMA
    return multiply_add_f32(multiply_add_f32(quotient, r, 1.0f), r, 1.0f);
#else
    const pair_f32 sum = ordered_sum_f32(1.0f, r);
    return sum.high + (r * r * quotient + sum.low);
#endif
}

FASTLOSS_INLINE double exp_rounded_f64(double r)
{
    const double quotient = multiply_add_f64(exp_cubic_f64(r), r, 0.5);
#if FASTLOSS_FMA
    return multiply_add_f64(multiply_add_f64(quotient, r, 1.0), r, 1.0);
#else
    const pair_f64 sum = ordered_sum_f64(1.0, r);
    return sum.high + (r * r * quotient + sum.low);
#endif
}

/* e^r with the low part, to about 2^-27 (float32) and 2^-57 (float64). */
FASTLOSS_INLINE pair_f32 exp_pair_f32(reduced_f32 r)
{
    const pair_f32 sum = ordered_sum_f32(1.0f, r.high);
    const float quotient = multiply_add_f32(exp_cubic_f32(r.high), r.high, 0.5f);
    const float low = multiply_add_f32(r.high * r.high, quotient, sum.low + r.low);
    return ordered_sum_f32(sum.high, low);
}

FASTLOSS_INLINE pair_f64 exp_pair_f64(reduced_f64 r)
{
    const pair_f64 sum = ordered_sum_f64(1.0, r.high);
    const double quotient = multiply_add_f64(exp_cubic_f64(r.high), r.high, 0.5);
    const double low = multiply_add_f64(r.high * r.high, quotient, sum.low + r.low);
    return ordered_sum_f64(sum.high, low);
}

/* 2^n takes two factors, for n runs past the exponents on both sides: the first, 2^(n + 40) or
 * 2^(n - 24) in float32, leaves a normal number; the second, 2^-40 or 2^24, rounds into the
 * subnormals or overflows. The sign bit of x, moved down, makes the difference. Beyond the bounds
 * the result is 0 or inf all the same. r - r is 0, or NaN, of which times_power made a number. */
FASTLOSS_INLINE float exp_f32(float x)
{
    const reduced_f32 r = reduce_f32(with_sign_f32(at_most_f32(absolute_f32(x), 104.0f), x));
    const uint32_t shift = ((bits_f32(x) & 0x80000000u) >> 2) - (24u << 23);
    const float normal = times_power_f32(exp_rounded_f32(r.high), r.exponent + shift);
    return multiply_add_f32(normal, float_of_bits(EXPONENT_F32(0) - shift), r.high - r.high);
}

FASTLOSS_INLINE double exp_f64(double x)
{
    const reduced_f64 r = reduce_f64(with_sign_f64(at_most_f64(absolute_f64(x), 746.0), x));
    const uint64_t shift = ((bits_f64(x) & 0x8000000000000000u) >> 4) - (64ull << 52);
    const double normal = times_power_f64(exp_rounded_f64(r.high), r.exponent + shift);
    return multiply_add_f64(normal, double_of_bits(EXPONENT_F64(0) - shift), r.high - r.high);
}

/* exp for x <= 0 (and NaN): no upper bound, and the two factors need no choice. */
FASTLOSS_INLINE float exp_nonpositive_f32(float x)
{
    const reduced_f32 r = reduce_f32(at_least_f32(x, -104.0f));
    const float normal = times_power_f32(exp_rounded_f32(r.high), r.exponent + (32u << 23));
    return multiply_add_f32(normal, 0x1p-32f, r.high - r.high);
}

FASTLOSS_INLINE double exp_nonpositive_f64(double x)
{
    const reduced_f64 r = reduce_f64(at_least_f64(x, -746.0));
    const double normal = times_power_f64(exp_rounded_f64(r.high), r.exponent + (64ull << 52));
    return multiply_add_f64(normal, 0x1p-64, r.high - r.high);
}

/* (e^x - 1) / 2 from scale = 2^(n-1) and shifted = scale - 1/2 as a pair. Halved, because 2^n
 * itself overflows before e^x - 1 does. At n = 1 the error of e^r - 1 counts twice; so r + r^2/2
 * is an exact sum, the rounding of r^2 is all that is left, and the low part of r gets its factor
 * e^r. Where shifted is not 0, it is larger than scale (e^r - 1), so that sum is exact too. The
 * low part of the result is small, but not yet below the last place of the high part. */
FASTLOSS_INLINE pair_f32 half_expm1_f32(reduced_f32 r, float scale, pair_f32 shifted)
{
    const float square = r.high * r.high;
    pair_f32 expm1 = ordered_sum_f32(r.high, 0.5f * square);
    const float low = multiply_add_f32(r.low, r.high, r.low);
    expm1.low += multiply_add_f32(square * r.high, exp_cubic_f32(r.high), low);
    const pair_f32 sum = ordered_sum_f32(shifted.high, scale * expm1.high);
    return (pair_f32){sum.high, sum.low + multiply_add_f32(scale, expm1.low, shifted.low)};
}

FASTLOSS_INLINE pair_f64 half_expm1_f64(reduced_f64 r, double scale, pair_f64 shifted)
{
    const double square = r.high * r.high;
    pair_f64 expm1 = ordered_sum_f64(r.high, 0.5 * square);
    const double low = multiply_add_f64(r.low, r.high, r.low);
    expm1.low += multiply_add_f64(square * r.high, exp_cubic_f64(r.high), low);
    const pair_f64 sum = ordered_sum_f64(shifted.high, scale * expm1.high);
    return (pair_f64){sum.high, sum.low + multiply_add_f64(scale, expm1.low, shifted.low)};
}

/* At the lower bound, e^x - 1 is -1 to half an ulp. The ordered sum is exact for x > 0, where it
 * counts; below, what it drops is less than e^x, against an ulp of 1. A tiny x is its own answer,
 * which keeps -0 and the last bit of a subnormal that halving would drop. */
FASTLOSS_INLINE float expm1_f32(float x)
{
    const reduced_f32 r = reduce_f32(clip_f32(x, -18.0f, 89.0f));
    const float scale = float_of_bits(r.exponent + EXPONENT_F32(-1));
    const pair_f32 half = half_expm1_f32(r, scale, ordered_sum_f32(scale, -0.5f));
    const float result = 2.0f * (half.high + half.low);
    return absolute_f32(x) < 0x1p-25f ? x : result;
}

FASTLOSS_INLINE double expm1_f64(double x)
{
    const reduced_f64 r = reduce_f64(clip_f64(x, -38.0, 710.0));
    const double scale = double_of_bits(r.exponent + EXPONENT_F64(-1));
    const pair_f64 half = half_expm1_f64(r, scale, ordered_sum_f64(scale, -0.5));
    const double result = 2.0 * (half.high + half.low);
    return absolute_f64(x) < 0x1p-54 ? x : result;
}

/* expm1 for x <= 0 (and NaN), within 2 ulp: beside exp_nonpositive of the same number, with which it
 * has all but the last steps in common, it is nearly free. 2^n is exact, or rounded where it is lost
 * beside 1. */
FASTLOSS_INLINE float expm1_nonpositive_f32(float x)
{
    const reduced_f32 r = reduce_f32(at_least_f32(x, -104.0f));
    const float quotient = multiply_add_f32(exp_cubic_f32(r.high), r.high, 0.5f);
    const float expm1 = multiply_add_f32(r.high * r.high, quotient, r.high);
    const float power = float_of_bits(r.exponent + EXPONENT_F32(32)) * 0x1p-32f;
    return multiply_add_f32(power, expm1, power - 1.0f);
}

FASTLOSS_INLINE double expm1_nonpositive_f64(double x)
{
    const reduced_f64 r = reduce_f64(at_least_f64(x, -746.0));
    const double quotient = multiply_add_f64(exp_cubic_f64(r.high), r.high, 0.5);
    const double expm1 = multiply_add_f64(r.high * r.high, quotient, r.high);
    const double power = double_of_bits(r.exponent + EXPONENT_F64(64)) * 0x1p-64;
    return multiply_add_f64(power, expm1, power - 1.0);
}

/* e^x and e^x - 1 in one, within 2 ulp: all but the last steps are the same. The bounds are those
 * of exp, whose two factors are here 2^(n - 1) and 2 or 2^(n + 31) and 2^-31. */
FASTLOSS_INLINE void exp_and_expm1_f32(float x, float *exp, float *expm1)
{
    const reduced_f32 r = reduce_f32(clip_f32(x, -104.0f, 89.0f));
    const float quotient = multiply_add_f32(exp_cubic_f32(r.high), r.high, 0.5f);
    const float near = multiply_add_f32(r.high * r.high, quotient, r.high);
    const uint32_t shift = ((bits_f32(x) & 0x80000000u) >> 3) - (1u << 23);
    const float power = float_of_bits(r.exponent + shift + EXPONENT_F32(0));
    const float one = float_of_bits(shift + EXPONENT_F32(0));
    const float back = float_of_bits(EXPONENT_F32(0) - shift);
    *exp = multiply_add_f32(power, near, power) * back;
    *expm1 = multiply_add_f32(power, near, power - one) * back;
}

FASTLOSS_INLINE void exp_and_expm1_f64(double x, double *exp, double *expm1)
{
    const reduced_f64 r = reduce_f64(clip_f64(x, -746.0, 710.0));
    const double quotient = multiply_add_f64(exp_cubic_f64(r.high), r.high, 0.5);
    const double near = multiply_add_f64(r.high * r.high, quotient, r.high);
    const uint64_t shift = ((bits_f64(x) & 0x8000000000000000u) >> 4) - (1ull << 52);
    const double power = double_of_bits(r.exponent + shift + EXPONENT_F64(0));
    const double one = double_of_bits(shift + EXPONENT_F64(0));
    const double back = double_of_bits(EXPONENT_F64(0) - shift);
    *exp = multiply_add_f64(power, near, power) * back;
    *expm1 = multiply_add_f64(power, near, power - one) * back;
}

/* e^x as a fraction of a numerator below 2 and a denominator first second = 2^-count, for an x that is
 * not beyond 175.4 (1417.5 in float64), where second is 0; x = count ln2 + rest. Fractions of e^x are
 * expanded by the denominator: nothing overflows, and nothing is rounded. */
FASTLOSS_INLINE void exp_fraction_f32(float x, float *numerator, float *first, float *second,
                                      float *count, float *rest)
{
    const float bounded = at_least_f32(x, -104.0f);
    const float shifted = multiply_add_f32(bounded, PER_LN2_F32, ROUNDER_F32);
    const float n = shifted - ROUNDER_F32;
    const float r =
        multiply_add_f32(n, -LN2_LOW_F32, multiply_add_f32(n, -LN2_HIGH_F32, bounded));
    const uint32_t minus = 0u - (bits_f32(x) >> 31);
    const uint32_t exponent = bits_f32(shifted) << 23;
    const uint32_t up = exponent & ~minus, half = (up >> 1) & 0xff800000u;
    const float normal =
        times_power_f32(exp_rounded_f32(r), (exponent & minus) + (32u << 23));
    *numerator = multiply_add_f32(normal, 0x1p-32f, r - r);
    *first = float_of_bits(EXPONENT_F32(0) - half);
    *second = float_of_bits(EXPONENT_F32(0) - (up - half));
    *count = float_of_bits(bits_f32(n) & ~minus);
    *rest = by_sign_f32(x, r, x);
}

FASTLOSS_INLINE void exp_fraction_f64(double x, double *numerator, double *first, double *second,
                                      double *count, double *rest)
{
    const double bounded = at_least_f64(x, -746.0);
    const double shifted = multiply_add_f64(bounded, PER_LN2_F64, ROUNDER_F64);
    const double n = shifted - ROUNDER_F64;
    const double r =
        multiply_add_f64(n, -LN2_LOW_F64, multiply_add_f64(n, -LN2_HIGH_F64, bounded));
    const uint64_t minus = 0u - (bits_f64(x) >> 63);
    const uint64_t exponent = bits_f64(shifted) << 52;
    const uint64_t up = exponent & ~minus, half = (up >> 1) & 0xfff0000000000000u;
    const double normal =
        times_power_f64(exp_rounded_f64(r), (exponent & minus) + (64ull << 52));
    *numerator = multiply_add_f64(normal, 0x1p-64, r - r);
    *first = double_of_bits(EXPONENT_F64(0) - half);
    *second = double_of_bits(EXPONENT_F64(0) - (up - half));
    *count = double_of_bits(bits_f64(n) & ~minus);
    *rest = by_sign_f64(x, r, x);
}

/* expm1 for x <= 30 (beyond, any number), within 3 ulp, beside exp of the same number, with which it has
 * all but the last steps in common. */
FASTLOSS_INLINE float expm1_beside_exp_f32(float x)
{
    const reduced_f32 r = reduce_f32(with_sign_f32(at_most_f32(absolute_f32(x), 104.0f), x));
    const float quotient = multiply_add_f32(exp_cubic_f32(r.high), r.high, 0.5f);
    const float expm1 = multiply_add_f32(r.high * r.high, quotient, r.high);
    const float power = float_of_bits(r.exponent + EXPONENT_F32(32)) * 0x1p-32f;
    return multiply_add_f32(power, expm1, power - 1.0f);
}

FASTLOSS_INLINE double expm1_beside_exp_f64(double x)
{
    const reduced_f64 r = reduce_f64(with_sign_f64(at_most_f64(absolute_f64(x), 746.0), x));
    const double quotient = multiply_add_f64(exp_cubic_f64(r.high), r.high, 0.5);
    const double expm1 = multiply_add_f64(r.high * r.high, quotient, r.high);
    const double power = double_of_bits(r.exponent + EXPONENT_F64(64)) * 0x1p-64;
    return multiply_add_f64(power, expm1, power - 1.0);
}

/* ---- The logarithm family -------------------------------------------------------------------
 * x = 2^k (1 + f) with 1 + f in [3/4, 3/2), and log x = k ln2 + log(1 + f).
 */

/* k ln2 + log(1 + f + f_low) as a pair, where log(1 + f) = f - f^2/2 + f^3 c(f), c minimax for the relative
 * error: 2^-27.6 and 2^-56.6. k times the high part of ln2 is exact, and larger than f unless
 * k = 0. The half stays apart from c and is added last: as a coefficient it would round twice
 * more. */
FASTLOSS_INLINE float log_cubic_f32(float f)
{
    const float square = f * f;
    float odd = -0x1.71daaap-5f;
    float even = 0x1.acf6fap-4f;
    odd = multiply_add_f32(odd, square, -0x1.0d9cb4p-3f);
    even = multiply_add_f32(even, square, 0x1.28822ep-3f);
    odd = multiply_add_f32(odd, square, -0x1.54ed9ep-3f);
    even = multiply_add_f32(even, square, 0x1.996982p-3f);
    odd = multiply_add_f32(odd, square, -0x1.000048p-2f);
    even = multiply_add_f32(even, square, 0x1.5555a4p-2f);
    return multiply_add_f32(odd, f, even);
}

FASTLOSS_INLINE pair_f32 log_sum_f32(float k, float f, float f_low)
{
    const float square = f * f, c = log_cubic_f32(f);
    const pair_f32 sum = ordered_sum_f32(k * LN2_HIGH_F32, f);
    const float low = multiply_add_f32(k, LN2_LOW_F32, sum.low + f_low);
    const float tail = multiply_add_f32(square * f, c, low);
    return (pair_f32){sum.high, multiply_add_f32(square, -0.5f, tail)};
}

FASTLOSS_INLINE double log_cubic_f64(double f)
{
    const double square = f * f;
    double even = -0x1.e16d4f7dea10cp-6;
    double odd = 0x1.090db89cb6cf4p-7;
    odd = multiply_add_f64(odd, square, 0x1.9f44483d6150fp-5);
    even = multiply_add_f64(even, square, -0x1.e8e6a2ce138c7p-5);
    odd = multiply_add_f64(odd, square, 0x1.f2543d377014fp-5);
    even = multiply_add_f64(even, square, -0x1.fffdafd7d0536p-5);
    odd = multiply_add_f64(odd, square, 0x1.101cadfb7052bp-4);
    even = multiply_add_f64(even, square, -0x1.24656920f0c8ap-4);
    odd = multiply_add_f64(odd, square, 0x1.3b1f012fce0f6p-4);
    even = multiply_add_f64(even, square, -0x1.55593a021d113p-4);
    odd = multiply_add_f64(odd, square, 0x1.745cec509145fp-4);
    even = multiply_add_f64(even, square, -0x1.999972c78e925p-4);
    odd = multiply_add_f64(odd, square, 0x1.c71c70dc9c389p-4);
    even = multiply_add_f64(even, square, -0x1.00000063da00bp-3);
    odd = multiply_add_f64(odd, square, 0x1.249249297a85bp-3);
    even = multiply_add_f64(even, square, -0x1.555555545967dp-3);
    odd = multiply_add_f64(odd, square, 0x1.999999998c5ccp-3);
    even = multiply_add_f64(even, square, -0x1.000000000076dp-2);
    return multiply_add_f64(multiply_add_f64(odd, f, even), f, 0x1.55555555555a1p-2);
}

FASTLOSS_INLINE pair_f64 log_sum_f64(double k, double f, double f_low)
{
    const double square = f * f, c = log_cubic_f64(f);
    const pair_f64 sum = ordered_sum_f64(k * LN2_HIGH_F64, f);
    const double low = multiply_add_f64(k, LN2_LOW_F64, sum.low + f_low);
    const double tail = multiply_add_f64(square * f, c, low);
    return (pair_f64){sum.high, multiply_add_f64(square, -0.5, tail)};
}

/* k << (width of the fraction), of the k for which 2^-k x is in [3/4, 3/2). */
FASTLOSS_INLINE uint32_t log_exponent_f32(float x)
{
    return (bits_f32(x) - 0x3f400000u) & 0xff800000u;
}

FASTLOSS_INLINE uint64_t log_exponent_f64(double x)
{
    return (bits_f64(x) - 0x3fe8000000000000u) & 0xfff0000000000000u;
}

FASTLOSS_INLINE float exponent_to_float(uint32_t exponent)
{
    return (float)((int32_t)exponent >> 23);
}

/* There is no vector conversion from 64-bit integers before AVX-512: the biased exponent goes into
 * the low bits of 2^52, and the subtraction makes a number of it. */
FASTLOSS_INLINE double exponent_to_double(uint64_t exponent)
{
    const uint64_t biased = (exponent + EXPONENT_F64(0)) >> 52;
    return double_of_bits(biased | EXPONENT_F64(52)) - (0x1p52 + 1023.0);
}

/* log x of a positive finite x. */
FASTLOSS_INLINE pair_f32 log_pair_f32(float x)
{
    const float normal = x < 0x1p-126f ? x * 0x1p24f : x;
    const float shift = x < 0x1p-126f ? 24.0f : 0.0f;
    const uint32_t exponent = log_exponent_f32(normal);
    const float f = float_of_bits(bits_f32(normal) - exponent) - 1.0f;
    return log_sum_f32(exponent_to_float(exponent) - shift, f, -0.0f);
}

FASTLOSS_INLINE pair_f64 log_pair_f64(double x)
{
    const double normal = x < 0x1p-1022 ? x * 0x1p53 : x;
    const double shift = x < 0x1p-1022 ? 53.0 : 0.0;
    const uint64_t exponent = log_exponent_f64(normal);
    const double f = double_of_bits(bits_f64(normal) - exponent) - 1.0;
    return log_sum_f64(exponent_to_double(exponent) - shift, f, -0.0);
}

FASTLOSS_INLINE float log_f32(float x)
{
    const pair_f32 sum = log_pair_f32(x);
    const float undefined = x == 0.0f ? -INFINITY : NAN;
    const float positive = x > 0.0f ? sum.high + sum.low : undefined;
    return x < INFINITY ? positive : x;
}

FASTLOSS_INLINE double log_f64(double x)
{
    const pair_f64 sum = log_pair_f64(x);
    const double undefined = x == 0.0 ? -(double)INFINITY : (double)NAN;
    const double positive = x > 0.0 ? sum.high + sum.low : undefined;
    return x < (double)INFINITY ? positive : x;
}

/* The rounding of 1 + x chooses k and does no more. f = 2^-k x - (1 - 2^-k), where 2^-k x is x
 * with another exponent; in this interval of 1 + f, unlike in the usual [sqrt 1/2, sqrt 2), their
 * difference has no rounding error, but for the last x below 1/2, whose 1 + x rounds up to 3/2:
 * it is worth 0.7 ulp there, hence f_low. (For k past the fraction's width, 2^-k does not count;
 * for the largest k its bits wrap to -inf, which at_most takes back.) -0 needs its sign put
 * back. */
FASTLOSS_INLINE float log1p_f32(float x)
{
    const uint32_t exponent = log_exponent_f32(1.0f + x);
    const float scaled = float_of_bits(bits_f32(x) - exponent);
    const float power = float_of_bits(EXPONENT_F32(0) - exponent);
    const float shift = at_most_f32(1.0f - power, 1.0f);
    const float f = scaled - shift;
    const pair_f32 sum = log_sum_f32(exponent_to_float(exponent), f, scaled - (f + shift));
    const float result = with_sign_f32(sum.high + sum.low, x);
    const float undefined = x == -1.0f ? -INFINITY : NAN;
    const float defined = x > -1.0f ? result : undefined;
    return x < INFINITY ? defined : x;
}

FASTLOSS_INLINE double log1p_f64(double x)
{
    const uint64_t exponent = log_exponent_f64(1.0 + x);
    const double scaled = double_of_bits(bits_f64(x) - exponent);
    const double power = double_of_bits(EXPONENT_F64(0) - exponent);
    const double shift = at_most_f64(1.0 - power, 1.0);
    const double f = scaled - shift;
    const pair_f64 sum = log_sum_f64(exponent_to_double(exponent), f, scaled - (f + shift));
    const double result = with_sign_f64(sum.high + sum.low, x);
    const double undefined = x == -1.0 ? -(double)INFINITY : (double)NAN;
    const double defined = x > -1.0 ? result : undefined;
    return x < (double)INFINITY ? defined : x;
}

/* The same for less: within 2 ulp, and for a part of the numbers. Nothing is a pair, and what is
 * undefined is not looked for. */
#define LN2_F32 0x1.62e43p-1f

FASTLOSS_INLINE float log_rounded_f32(float k, float f)
{
    const float quotient = multiply_add_f32(log_cubic_f32(f), f, -0.5f);
    return multiply_add_f32(k, LN2_F32, multiply_add_f32(f * f, quotient, f));
}

FASTLOSS_INLINE double log_rounded_f64(double k, double f)
{
    const double quotient = multiply_add_f64(log_cubic_f64(f), f, -0.5);
    const double near = multiply_add_f64(f * f, quotient, f);
    return multiply_add_f64(k, LN2_HIGH_F64, multiply_add_f64(k, LN2_LOW_F64, near));
}

/* 2^-k, for a k below the largest exponent. */
FASTLOSS_INLINE float reciprocal_power_f32(uint32_t exponent)
{
    return float_of_bits(EXPONENT_F32(0) - exponent);
}

FASTLOSS_INLINE double reciprocal_power_f64(uint64_t exponent)
{
    return double_of_bits(EXPONENT_F64(0) - exponent);
}

/* log x for x >= +0. */
FASTLOSS_INLINE float log_nonnegative_f32(float x)
{
    const float normal = x < 0x1p-126f ? x * 0x1p24f : x;
    const float shift = x < 0x1p-126f ? 24.0f : 0.0f;
    const uint32_t exponent = log_exponent_f32(normal);
    const float f = float_of_bits(bits_f32(normal) - exponent) - 1.0f;
    const float result = log_rounded_f32(exponent_to_float(exponent) - shift, f);
    const float bounded = x == 0.0f ? -INFINITY : result;
    return x < INFINITY ? bounded : x;
}

FASTLOSS_INLINE double log_nonnegative_f64(double x)
{
    const double normal = x < 0x1p-1022 ? x * 0x1p53 : x;
    const double shift = x < 0x1p-1022 ? 53.0 : 0.0;
    const uint64_t exponent = log_exponent_f64(normal);
    const double f = double_of_bits(bits_f64(normal) - exponent) - 1.0;
    const double result = log_rounded_f64(exponent_to_double(exponent) - shift, f);
    const double bounded = x == 0.0 ? -(double)INFINITY : result;
    return x < (double)INFINITY ? bounded : x;
}

/* log x on (0, 1]; of 0, a number below all those. Multiplied first, nothing is subnormal; and f is
 * made by a multiplication, which keeps NaN. */
FASTLOSS_INLINE float log_unit_f32(float x)
{
    const float scaled = x * 0x1p24f;
    const uint32_t exponent = log_exponent_f32(scaled);
    const float f = multiply_add_f32(scaled, reciprocal_power_f32(exponent), -1.0f);
    return log_rounded_f32(exponent_to_float(exponent) - 24.0f, f);
}

FASTLOSS_INLINE double log_unit_f64(double x)
{
    const double scaled = x * 0x1p53;
    const uint64_t exponent = log_exponent_f64(scaled);
    const double f = multiply_add_f64(scaled, reciprocal_power_f64(exponent), -1.0);
    return log_rounded_f64(exponent_to_double(exponent) - 53.0, f);
}

/* log(1 + x) on (-1, 0]; of -1, a number below all those. As in log1p, f has no rounding error. */
FASTLOSS_INLINE float log1p_nonpositive_f32(float x)
{
    const uint32_t exponent = log_exponent_f32(1.0f + x);
    const float power = reciprocal_power_f32(exponent);
    const float f = multiply_add_f32(x, power, power - 1.0f);
    return log_rounded_f32(exponent_to_float(exponent), f);
}

FASTLOSS_INLINE double log1p_nonpositive_f64(double x)
{
    const uint64_t exponent = log_exponent_f64(1.0 + x);
    const double power = reciprocal_power_f64(exponent);
    const double f = multiply_add_f64(x, power, power - 1.0);
    return log_rounded_f64(exponent_to_double(exponent), f);
}

/* log(1 + x) on (-1, 2^100] if one = 1 and log x for a positive x if one = 0. The exact f of log1p where
 * 1 is added; the last x below 1/2 costs 0.7 ulp more. Chosen by a sign, for the reason that
 * log1p_square has. */
FASTLOSS_INLINE float log_of_sum_f32(float one, float x)
{
    const float lifted = x < 0x1p-126f ? x * 0x1p24f : x;
    const float normal = by_sign_f32(one - 0.5f, x, lifted);
    const float lift = by_sign_f32(one - 0.5f, 0.0f, x < 0x1p-126f ? 24.0f : 0.0f);
    const uint32_t exponent = log_exponent_f32(one + normal);
    const float scaled = float_of_bits(bits_f32(normal) - exponent);
    const float shift = reciprocal_power_f32(exponent) - 1.0f;
    const float f = scaled + by_sign_f32(one - 0.5f, shift, -1.0f);
    return log_rounded_f32(exponent_to_float(exponent) - lift, f);
}

FASTLOSS_INLINE double log_of_sum_f64(double one, double x)
{
    const double lifted = x < 0x1p-1022 ? x * 0x1p53 : x;
    const double normal = by_sign_f64(one - 0.5, x, lifted);
    const double lift = by_sign_f64(one - 0.5, 0.0, x < 0x1p-1022 ? 53.0 : 0.0);
    const uint64_t exponent = log_exponent_f64(one + normal);
    const double scaled = double_of_bits(bits_f64(normal) - exponent);
    const double shift = reciprocal_power_f64(exponent) - 1.0;
    const double f = scaled + by_sign_f64(one - 0.5, shift, -1.0);
    return log_rounded_f64(exponent_to_double(exponent) - lift, f);
}

/* x - log(1 + x) on [0, 1], within 5 ulp. */
FASTLOSS_INLINE float log1p_deficit_f32(float x)
{
    const uint32_t exponent = log_exponent_f32(1.0f + x);
    const float power = reciprocal_power_f32(exponent);
    const float f = multiply_add_f32(x, power, power - 1.0f);
    const float log = log_rounded_f32(exponent_to_float(exponent), f);
    const float quotient = multiply_add_f32(log_cubic_f32(f), f, -0.5f);
    return x < 0.5f ? -(f * f) * quotient : x - log;
}

FASTLOSS_INLINE double log1p_deficit_f64(double x)
{
    const uint64_t exponent = log_exponent_f64(1.0 + x);
    const double power = reciprocal_power_f64(exponent);
    const double f = multiply_add_f64(x, power, power - 1.0);
    const double log = log_rounded_f64(exponent_to_double(exponent), f);
    const double quotient = multiply_add_f64(log_cubic_f64(f), f, -0.5);
    return x < 0.5 ? -(f * f) * quotient : x - log;
}

/* log(1 - e^x) for -80 <= x <= -2^-120, within 3 ulp, beside exp_nonpositive and expm1_nonpositive of
 * the same number. f is made of the smaller one of e^x and 1 - e^x, which keeps its digits. Below, it
 * is -e^x, or +0. */
FASTLOSS_INLINE float log1mexp_f32(float x)
{
    const float e = exp_nonpositive_f32(x), rest = -expm1_nonpositive_f32(x);
    const uint32_t exponent = log_exponent_f32(rest);
    const float power = reciprocal_power_f32(exponent);
    const float shift = e < 0.5f ? power - 1.0f : -1.0f;
    const float f = multiply_add_f32(e < 0.5f ? -e : rest, power, shift);
    return log_rounded_f32(exponent_to_float(exponent), f);
}

FASTLOSS_INLINE double log1mexp_f64(double x)
{
    const double e = exp_nonpositive_f64(x), rest = -expm1_nonpositive_f64(x);
    const uint64_t exponent = log_exponent_f64(rest);
    const double power = reciprocal_power_f64(exponent);
    const double shift = e < 0.5 ? power - 1.0 : -1.0;
    const double f = multiply_add_f64(e < 0.5 ? -e : rest, power, shift);
    return log_rounded_f64(exponent_to_double(exponent), f);
}

/* log1p for x >= +0, with its error: the same without what is undefined. */
FASTLOSS_INLINE float log1p_nonnegative_f32(float x)
{
    const uint32_t exponent = log_exponent_f32(1.0f + x);
    const float scaled = float_of_bits(bits_f32(x) - exponent);
    const float shift = at_most_f32(1.0f - reciprocal_power_f32(exponent), 1.0f);
    const float f = scaled - shift;
    const pair_f32 sum = log_sum_f32(exponent_to_float(exponent), f, scaled - (f + shift));
    return x < INFINITY ? sum.high + sum.low : x;
}

FASTLOSS_INLINE double log1p_nonnegative_f64(double x)
{
    const uint64_t exponent = log_exponent_f64(1.0 + x);
    const double scaled = double_of_bits(bits_f64(x) - exponent);
    const double shift = at_most_f64(1.0 - reciprocal_power_f64(exponent), 1.0);
    const double f = scaled - shift;
    const pair_f64 sum = log_sum_f64(exponent_to_double(exponent), f, scaled - (f + shift));
    return x < (double)INFINITY ? sum.high + sum.low : x;
}

/* log(one + x) = k ln2 + f + f bend, where f = x power + (one power - 1) and `one` is a power of 2, at
 * most 1. Where x is small beside it, f is their quotient without another rounding. */
FASTLOSS_INLINE void split_log_f32(float one, float x, float *k, float *power, float *f, float *bend)
{
    const uint32_t exponent = log_exponent_f32(one + x);
    *k = exponent_to_float(exponent);
    *power = reciprocal_power_f32(exponent);
    *f = multiply_add_f32(x, *power, multiply_add_f32(one, *power, -1.0f));
    *bend = *f * multiply_add_f32(log_cubic_f32(*f), *f, -0.5f);
}

FASTLOSS_INLINE void split_log_f64(double one, double x, double *k, double *power, double *f,
                                   double *bend)
{
    const uint64_t exponent = log_exponent_f64(one + x);
    *k = exponent_to_double(exponent);
    *power = reciprocal_power_f64(exponent);
    *f = multiply_add_f64(x, *power, multiply_add_f64(one, *power, -1.0));
    *bend = *f * multiply_add_f64(log_cubic_f64(*f), *f, -0.5);
}

typedef struct { float s, rest, tail; } halved_f32;
typedef struct { double s, rest, tail; } halved_f64;

/* log(1 + x) on the whole of [+0, 1], from s = x / (2 + x) = tanh of its half: 2 s + s^3 q(s^2), q
 * minimax for the relative error, 2^-27.7 and 2^-59.4. s^2 is at most 1/9, so half as many terms do
 * as the logarithm takes in x, and the division costs less than they. 2 s is the high part, for it
 * has no rounding but that of s; what it leaves of x, x = 2 s + s x + rest, is known without error,
 * and rest - s rest is what the logarithm lacks: log(1 + x) = 2 s + rest + s tail. */
FASTLOSS_INLINE halved_f32 halve_log1p_f32(float x)
{
    const float s = x / (2.0f + x);
    const float rest = remainder_f32(x - (s + s), s, x);
    const float square = s * s;
    float q = 0x1.1eca32p-2f;
    q = multiply_add_f32(q, square, 0x1.1ec03ep-2f);
    q = multiply_add_f32(q, square, 0x1.99d1ccp-2f);
    q = multiply_add_f32(q, square, 0x1.555502p-1f);
    return (halved_f32){s, rest, multiply_add_f32(q, square, -rest)};
}

FASTLOSS_INLINE halved_f64 halve_log1p_f64(double x)
{
    const double s = x / (2.0 + x);
    const double rest = remainder_f64(x - (s + s), s, x);
    const double square = s * s, fourth = square * square;
    double odd = 0x1.5c789df390ce8p-3;
    double even = 0x1.55b172eed1ed2p-4;
    odd = multiply_add_f64(odd, fourth, 0x1.efd8315001bb4p-4);
    even = multiply_add_f64(even, fourth, 0x1.1067c6d815c88p-3);
    odd = multiply_add_f64(odd, fourth, 0x1.3b1ddb509ff64p-3);
    even = multiply_add_f64(even, fourth, 0x1.745cb4018934ap-3);
    odd = multiply_add_f64(odd, fourth, 0x1.c71c741c6a286p-3);
    even = multiply_add_f64(even, fourth, 0x1.249249208c688p-2);
    odd = multiply_add_f64(odd, fourth, 0x1.99999999a074fp-2);
    even = multiply_add_f64(even, fourth, 0x1.5555555555535p-1);
    const double q = multiply_add_f64(odd, square, even);
    return (halved_f64){s, rest, multiply_add_f64(q, square, -rest)};
}

FASTLOSS_INLINE pair_f32 log1p_unit_pair_f32(float x)
{
    const halved_f32 h = halve_log1p_f32(x);
    return (pair_f32){h.s + h.s, multiply_add_f32(h.tail, h.s, h.rest)};
}

FASTLOSS_INLINE pair_f64 log1p_unit_pair_f64(double x)
{
    const halved_f64 h = halve_log1p_f64(x);
    return (pair_f64){h.s + h.s, multiply_add_f64(h.tail, h.s, h.rest)};
}

FASTLOSS_INLINE float log1p_unit_f32(float x)
{
    const pair_f32 sum = log1p_unit_pair_f32(x);
    return sum.high + sum.low;
}

FASTLOSS_INLINE double log1p_unit_f64(double x)
{
    const pair_f64 sum = log1p_unit_pair_f64(x);
    return sum.high + sum.low;
}

/* x - log(1 + x) on [+0, 1], about x^2 / 2. */
FASTLOSS_INLINE float log1p_unit_deficit_f32(float x)
{
    const halved_f32 h = halve_log1p_f32(x);
    return multiply_add_f32(h.s, x, -h.s * h.tail);
}

FASTLOSS_INLINE double log1p_unit_deficit_f64(double x)
{
    const halved_f64 h = halve_log1p_f64(x);
    return multiply_add_f64(h.s, x, -h.s * h.tail);
}

/* ---- Compositions ---------------------------------------------------------------------------
 * All of them start from e^-|x|, which cannot overflow, carried as a pair: its rounding error
 * alone would cost them the ulp that is left.
 */

/* 1 / (1 + e) for x >= 0 and e / (1 + e) for x < 0, with e = e^-|x| = 2^n m. The second is
 * computed as (m / (1 + e)) 2^n, so that the quotient never sees a subnormal. */
FASTLOSS_INLINE float sigmoid_f32(float x)
{
    const reduced_f32 r = reduce_f32(at_least_f32(-absolute_f32(x), -104.0f));
    const pair_f32 m = exp_pair_f32(r);
    const float power = float_of_bits(r.exponent + EXPONENT_F32(32)) * 0x1p-32f;
    pair_f32 denominator = ordered_sum_f32(1.0f, m.high * power);
    denominator.low = multiply_add_f32(m.low, power, denominator.low);
    const pair_f32 numerator = {x < 0.0f ? m.high : 1.0f, x < 0.0f ? m.low : 0.0f};
    return quotient_f32(numerator, denominator) * (x < 0.0f ? power : 1.0f);
}

FASTLOSS_INLINE double sigmoid_f64(double x)
{
    const reduced_f64 r = reduce_f64(at_least_f64(-absolute_f64(x), -746.0));
    const pair_f64 m = exp_pair_f64(r);
    const double power = double_of_bits(r.exponent + EXPONENT_F64(64)) * 0x1p-64;
    pair_f64 denominator = ordered_sum_f64(1.0, m.high * power);
    denominator.low = multiply_add_f64(m.low, power, denominator.low);
    const pair_f64 numerator = {x < 0.0 ? m.high : 1.0, x < 0.0 ? m.low : 0.0};
    return quotient_f64(numerator, denominator) * (x < 0.0 ? power : 1.0);
}

/* tanh |x| = -h / (1 + h) with h = (e^-2|x| - 1) / 2. From the bound on, tanh rounds to 1. Near
 * there, -1/2 + scale does not fit the fraction, and 1 + h doubles what is dropped: hence the
 * pair, in the order that is exact for n <= 0. */
FASTLOSS_INLINE float tanh_f32(float x)
{
    const reduced_f32 r = reduce_f32(-2.0f * at_most_f32(absolute_f32(x), 10.0f));
    const float scale = float_of_bits(r.exponent + EXPONENT_F32(-1));
    const pair_f32 half = half_expm1_f32(r, scale, ordered_sum_f32(-0.5f, scale));
    const pair_f32 h = ordered_sum_f32(half.high, half.low);
    pair_f32 denominator = ordered_sum_f32(1.0f, h.high);
    denominator.low += h.low;
    return with_sign_f32(quotient_f32((pair_f32){-h.high, -h.low}, denominator), x);
}

FASTLOSS_INLINE double tanh_f64(double x)
{
    const reduced_f64 r = reduce_f64(-2.0 * at_most_f64(absolute_f64(x), 20.0));
    const double scale = double_of_bits(r.exponent + EXPONENT_F64(-1));
    const pair_f64 half = half_expm1_f64(r, scale, ordered_sum_f64(-0.5, scale));
    const pair_f64 h = ordered_sum_f64(half.high, half.low);
    pair_f64 denominator = ordered_sum_f64(1.0, h.high);
    denominator.low += h.low;
    return with_sign_f64(quotient_f64((pair_f64){-h.high, -h.low}, denominator), x);
}

/* log cosh x on [0, 1], from its square. */
FASTLOSS_INLINE float log_cosh_unit_f32(float x)
{
    const float square = x * x;
    float c = 0x1.7088e6p-14f;
    c = multiply_add_f32(c, square, -0x1.25d030p-11f);
    c = multiply_add_f32(c, square, 0x1.10f5d2p-9f);
    c = multiply_add_f32(c, square, -0x1.b7f9d8p-8f);
    c = multiply_add_f32(c, square, 0x1.6c02bcp-6f);
    c = multiply_add_f32(c, square, -0x1.555516p-4f);
    return multiply_add_f32(c * square, square, 0.5f * square);
}

FASTLOSS_INLINE double log_cosh_unit_f64(double x)
{
    const double square = x * x, fourth = square * square;
    double even = 0x1.f23860d4235dcp-28;
    even = multiply_add_f64(even, fourth, 0x1.96070c03c6352p-22);
    even = multiply_add_f64(even, fourth, 0x1.195f34b6e102ap-18);
    even = multiply_add_f64(even, fourth, 0x1.127e3b8bda024p-15);
    even = multiply_add_f64(even, fourth, 0x1.0d0a2fa44ef42p-12);
    even = multiply_add_f64(even, fourth, 0x1.1ea5d30539b67p-9);
    even = multiply_add_f64(even, fourth, 0x1.6c16c16c0da7ap-6);
    double odd = -0x1.3b7fcb4b44963p-24;
    odd = multiply_add_f64(odd, fourth, -0x1.71b469b23c5a5p-20);
    odd = multiply_add_f64(odd, fourth, -0x1.8ce0b06201659p-17);
    odd = multiply_add_f64(odd, fourth, -0x1.7d8f91f0776a6p-14);
    odd = multiply_add_f64(odd, fourth, -0x1.833d858bba51ap-11);
    odd = multiply_add_f64(odd, fourth, -0x1.ba1ba1b583513p-8);
    odd = multiply_add_f64(odd, fourth, -0x1.55555555554fp-4);
    const double c = multiply_add_f64(even, square, odd);
    return multiply_add_f64(c * square, square, 0.5 * square);
}

/* log(1 + e^x) = max(x, 0) + log(1 + e) with e = e^-|x|. The low part of e enters by the slope of
 * the logarithm, 1 / (1 + e), for which a line that is within 0.043 of it will do. Past the bound
 * the answer is x, chosen outright because the exact sum makes NaN of inf - inf. */
FASTLOSS_INLINE float softplus_f32(float x)
{
    const reduced_f32 r = reduce_f32(at_least_f32(-absolute_f32(x), -104.0f));
    const pair_f32 m = exp_pair_f32(r);
    const float power = float_of_bits(r.exponent + EXPONENT_F32(32)) * 0x1p-32f;
    const pair_f32 e = {m.high * power, m.low * power};
    const float slope = multiply_add_f32(e.high, -0.5f, 0.957f);
    const pair_f32 log1p = log1p_unit_pair_f32(e.high);
    const pair_f32 sum = exact_sum_f32(at_least_f32(x, 0.0f), log1p.high);
    const float result = sum.high + (sum.low + multiply_add_f32(e.low, slope, log1p.low));
    return x > 104.0f ? x : result;
}

FASTLOSS_INLINE double softplus_f64(double x)
{
    const reduced_f64 r = reduce_f64(at_least_f64(-absolute_f64(x), -746.0));
    const pair_f64 m = exp_pair_f64(r);
    const double power = double_of_bits(r.exponent + EXPONENT_F64(64)) * 0x1p-64;
    const pair_f64 e = {m.high * power, m.low * power};
    const double slope = multiply_add_f64(e.high, -0.5, 0.957);
    const pair_f64 log1p = log1p_unit_pair_f64(e.high);
    const pair_f64 sum = exact_sum_f64(at_least_f64(x, 0.0), log1p.high);
    const double result = sum.high + (sum.low + multiply_add_f64(e.low, slope, log1p.low));
    return x > 746.0 ? x : result;
}

FASTLOSS_INLINE float log_sigmoid_f32(float x) { return -softplus_f32(-x); }
FASTLOSS_INLINE double log_sigmoid_f64(double x) { return -softplus_f64(-x); }

/* x - scale log(1 + q) for x >= 0 and the quotient q = x / scale, within 3 ulp of that of q. On [0, 1]
 * the logarithm comes as a pair whose high part is at least 2/3 q: subtracting that is exact. From the
 * bound on, the logarithm is below half an ulp; an infinite quotient is no infinite result. */
FASTLOSS_INLINE float log1p_gap_f32(float x, float scale, float quotient)
{
    const pair_f32 log1p = log1p_unit_pair_f32(at_most_f32(quotient, 1.0f));
    const float near = scale * ((quotient - log1p.high) - log1p.low);
    const float log = quotient < 0x1p32f ? log1p_f32(quotient) : 0.0f;
    const float far = multiply_add_f32(-scale, log, x);
    return quotient > 1.0f ? far : near;
}

FASTLOSS_INLINE double log1p_gap_f64(double x, double scale, double quotient)
{
    const pair_f64 log1p = log1p_unit_pair_f64(at_most_f64(quotient, 1.0));
    const double near = scale * ((quotient - log1p.high) - log1p.low);
    const double log = quotient < 0x1p64 ? log1p_f64(quotient) : 0.0;
    const double far = multiply_add_f64(-scale, log, x);
    return quotient > 1.0 ? far : near;
}

/* ---- The gamma function's family ------------------------------------------------------------
 * lgamma = log Gamma, its derivative digamma and its second derivative trigamma, for x >= 0; NaN
 * below. Three ways, all of them computed and one chosen:
 *
 *   - On [1, 3) a polynomial in t = x - 2, of the function with its zeros divided out, so that a
 *     zero costs no digits: lgamma / ((x - 1) (x - 2)), digamma / (x - zero), and trigamma times x,
 *     which is flat.
 *   - x < 1 is brought to [1, 2) by Gamma(x) = Gamma(x + 1) / x. In float64 what is in [3, 6) is
 *     brought to [2, 3) by Gamma(x) = (x - 1) Gamma(x - 1), where nothing cancels but for trigamma,
 *     which has a polynomial for all of [1, 6) instead.
 *   - From 3 on in float32 and from 6 in float64, Stirling's series, of which a short polynomial in
 *     1 / x^2 takes the place.
 *
 * The polynomials interpolate at Chebyshev's points; their relative errors are below 2^-26 and
 * 2^-57 of the whole. The long ones come as pairs, a constant and the rest, which is smaller.
 */

FASTLOSS_INLINE pair_f32 lgamma_ratio_f32(float t)
{
    float c = 0x1.2f8676p-16f;
    c = multiply_add_f32(c, t, -0x1.43a2fp-15f);
    c = multiply_add_f32(c, t, 0x1.90aab8p-16f);
    c = multiply_add_f32(c, t, -0x1.bb4078p-15f);
    c = multiply_add_f32(c, t, 0x1.921b76p-13f);
    c = multiply_add_f32(c, t, -0x1.bdce72p-12f);
    c = multiply_add_f32(c, t, 0x1.de765cp-11f);
    c = multiply_add_f32(c, t, -0x1.138b8cp-9f);
    c = multiply_add_f32(c, t, 0x1.479d3cp-8f);
    c = multiply_add_f32(c, t, -0x1.95d47p-7f);
    c = multiply_add_f32(c, t, 0x1.0e0c98p-5f);
    c = multiply_add_f32(c, t, -0x1.9ae64ap-4f);
    return (pair_f32){0x1.b0ee6p-2f, multiply_add_f32(c, t, 0x1.c824f4p-28f)};
}

FASTLOSS_INLINE pair_f64 lgamma_ratio_f64(double t)
{
    const double square = t * t;
    double even = 0x1.b3541ab65bdbfp-32;
    double odd = -0x1.c035341ec058fp-31;
    even = multiply_add_f64(even, square, -0x1.47270e5e1fb65p-30);
    odd = multiply_add_f64(odd, square, 0x1.4ff438323b2c8p-29);
    even = multiply_add_f64(even, square, 0x1.27da3df04045p-28);
    odd = multiply_add_f64(odd, square, -0x1.3103f029c7bap-27);
    even = multiply_add_f64(even, square, 0x1.a42ed3de5b793p-32);
    odd = multiply_add_f64(odd, square, -0x1.f849c85b95e9dp-31);
    even = multiply_add_f64(even, square, 0x1.ab61d22cc9788p-26);
    odd = multiply_add_f64(odd, square, -0x1.bdb9f4ce42d8dp-25);
    even = multiply_add_f64(even, square, 0x1.7c7b8a89c3cd7p-24);
    odd = multiply_add_f64(odd, square, -0x1.8ff67cc7ad32ep-23);
    even = multiply_add_f64(even, square, 0x1.b2c54c428c424p-22);
    odd = multiply_add_f64(odd, square, -0x1.cb3ff70f30455p-21);
    even = multiply_add_f64(even, square, 0x1.e541e1a32fbd5p-20);
    odd = multiply_add_f64(odd, square, -0x1.022302a40660bp-18);
    even = multiply_add_f64(even, square, 0x1.13e4c880cb9a3p-17);
    odd = multiply_add_f64(odd, square, -0x1.285110f192ea9p-16);
    even = multiply_add_f64(even, square, 0x1.402f0a28deda1p-15);
    odd = multiply_add_f64(odd, square, -0x1.5c86af6d067p-14);
    even = multiply_add_f64(even, square, 0x1.7ed733d21cbf4p-13);
    odd = multiply_add_f64(odd, square, -0x1.a96a403976f3ap-12);
    even = multiply_add_f64(even, square, 0x1.dfebcf8e001b7p-11);
    odd = multiply_add_f64(odd, square, -0x1.145121f959a87p-9);
    even = multiply_add_f64(even, square, 0x1.47974853aa7eap-8);
    odd = multiply_add_f64(odd, square, -0x1.95ce223a9d24ap-7);
    even = multiply_add_f64(even, square, 0x1.0e0c9df29353p-5);
    odd = multiply_add_f64(odd, square, -0x1.9ae6509ea109ep-4);
    const double low = multiply_add_f64(even, square, 0x1.6cb90701fbfabp-58);
    return (pair_f64){0x1.b0ee6072093cep-2, multiply_add_f64(odd, t, low)};
}

FASTLOSS_INLINE pair_f32 digamma_ratio_f32(float t)
{
    float c = 0x1.efebdp-15f;
    c = multiply_add_f32(c, t, -0x1.f01b8cp-14f);
    c = multiply_add_f32(c, t, 0x1.f767b2p-17f);
    c = multiply_add_f32(c, t, -0x1.fb68c4p-16f);
    c = multiply_add_f32(c, t, 0x1.9ce1b2p-12f);
    c = multiply_add_f32(c, t, -0x1.9e2cdep-11f);
    c = multiply_add_f32(c, t, 0x1.5d92p-10f);
    c = multiply_add_f32(c, t, -0x1.609f28p-9f);
    c = multiply_add_f32(c, t, 0x1.6c38c2p-8f);
    c = multiply_add_f32(c, t, -0x1.73e312p-7f);
    c = multiply_add_f32(c, t, 0x1.80270ap-6f);
    c = multiply_add_f32(c, t, -0x1.95e9f2p-5f);
    c = multiply_add_f32(c, t, 0x1.be76b6p-4f);
    c = multiply_add_f32(c, t, -0x1.0aff28p-2f);
    return (pair_f32){0x1.9213d4p-1f, multiply_add_f32(c, t, 0x1.9cdae8p-27f)};
}

FASTLOSS_INLINE pair_f64 digamma_ratio_f64(double t)
{
    const double square = t * t;
    double even = 0x1.77b0419eeab12p-29;
    double odd = -0x1.77b048e70460dp-28;
    even = multiply_add_f64(even, square, -0x1.60352b509d628p-27);
    odd = multiply_add_f64(odd, square, 0x1.60352909aad8ap-26);
    even = multiply_add_f64(even, square, 0x1.1cb3a9a069b8p-25);
    odd = multiply_add_f64(odd, square, -0x1.1cb3bb1923305p-24);
    even = multiply_add_f64(even, square, -0x1.7fc06e5ffaf83p-26);
    odd = multiply_add_f64(odd, square, 0x1.7fbf6756f496fp-25);
    even = multiply_add_f64(even, square, 0x1.0e2c3ee23304fp-23);
    odd = multiply_add_f64(odd, square, -0x1.0e2d70022f1d1p-22);
    even = multiply_add_f64(even, square, 0x1.3b9123664e461p-22);
    odd = multiply_add_f64(odd, square, -0x1.3b967e28e8a2ap-21);
    even = multiply_add_f64(even, square, 0x1.62f5a9f6b8f6ap-20);
    odd = multiply_add_f64(odd, square, -0x1.6301bf3b70a3ap-19);
    even = multiply_add_f64(even, square, 0x1.5e12899cb8187p-18);
    odd = multiply_add_f64(odd, square, -0x1.5e2ddb0ad4323p-17);
    even = multiply_add_f64(even, square, 0x1.5ecd5f7b919d5p-16);
    odd = multiply_add_f64(odd, square, -0x1.5f0b609bedc15p-15);
    even = multiply_add_f64(even, square, 0x1.5f612ad243f72p-14);
    odd = multiply_add_f64(odd, square, -0x1.5feeea62bf9c3p-13);
    even = multiply_add_f64(even, square, 0x1.60c690cbf7adbp-12);
    odd = multiply_add_f64(odd, square, -0x1.620f085583d13p-11);
    even = multiply_add_f64(even, square, 0x1.64075fe15ceefp-10);
    odd = multiply_add_f64(odd, square, -0x1.6714cfd6eee8ep-9);
    even = multiply_add_f64(even, square, 0x1.6bdf5e1b0f5dp-8);
    odd = multiply_add_f64(odd, square, -0x1.7389aa80b1598p-7);
    even = multiply_add_f64(even, square, 0x1.802924f9a5593p-6);
    odd = multiply_add_f64(odd, square, -0x1.95ec0c3ba92eap-5);
    even = multiply_add_f64(even, square, 0x1.be76b26db8065p-4);
    odd = multiply_add_f64(odd, square, -0x1.0aff270ca07a7p-2);
    const double low = multiply_add_f64(even, square, -0x1.c7a3234d5d7bbp-56);
    return (pair_f64){0x1.9213d46736ba4p-1, multiply_add_f64(odd, t, low)};
}

/* In float64 in s = (x - 5/2) / (x + 5/2), by which [1, 6) is as far from the pole as it can be. */
FASTLOSS_INLINE pair_f32 trigamma_scaled_f32(float t)
{
    float c = 0x1.682d9ap-14f;
    c = multiply_add_f32(c, t, -0x1.6766d2p-13f);
    c = multiply_add_f32(c, t, 0x1.4ac046p-16f);
    c = multiply_add_f32(c, t, -0x1.3f4908p-15f);
    c = multiply_add_f32(c, t, 0x1.23418ap-11f);
    c = multiply_add_f32(c, t, -0x1.203482p-10f);
    c = multiply_add_f32(c, t, 0x1.d7adfp-10f);
    c = multiply_add_f32(c, t, -0x1.cd83fap-9f);
    c = multiply_add_f32(c, t, 0x1.ca6e1p-8f);
    c = multiply_add_f32(c, t, -0x1.ba1722p-7f);
    c = multiply_add_f32(c, t, 0x1.a560cp-6f);
    c = multiply_add_f32(c, t, -0x1.8ce8dcp-5f);
    c = multiply_add_f32(c, t, 0x1.6fecfcp-4f);
    c = multiply_add_f32(c, t, -0x1.4e6cdep-3f);
    return (pair_f32){0x1.4a34ccp0f, multiply_add_f32(c, t, 0x1.2983eap-26f)};
}

FASTLOSS_INLINE pair_f64 trigamma_scaled_f64(double s)
{
    const double square = s * s;
    double even = 0x1.d932b436306dep1;
    double odd = -0x1.6dd5739230bb7p1;
    even = multiply_add_f64(even, square, -0x1.74a68c9b61dadp0);
    odd = multiply_add_f64(odd, square, 0x1.12bb2d38af3b1p-1);
    even = multiply_add_f64(even, square, 0x1.b41f425eb11bbp0);
    odd = multiply_add_f64(odd, square, -0x1.4236d5d190107p0);
    even = multiply_add_f64(even, square, 0x1.27191169438aap-1);
    odd = multiply_add_f64(odd, square, -0x1.673c1d20c69fp-1);
    even = multiply_add_f64(even, square, 0x1.ac72e9dc21efap-1);
    odd = multiply_add_f64(odd, square, -0x1.a0d140f995605p-1);
    even = multiply_add_f64(even, square, 0x1.9775698a528eep-1);
    odd = multiply_add_f64(odd, square, -0x1.98de88060b6cdp-1);
    even = multiply_add_f64(even, square, 0x1.99b9edfaea45ep-1);
    odd = multiply_add_f64(odd, square, -0x1.998f68bfcbb3p-1);
    even = multiply_add_f64(even, square, 0x1.9967206622a9bp-1);
    odd = multiply_add_f64(odd, square, -0x1.99334eb44534bp-1);
    even = multiply_add_f64(even, square, 0x1.98c53211d0d26p-1);
    odd = multiply_add_f64(odd, square, -0x1.97e3c7fd77152p-1);
    even = multiply_add_f64(even, square, 0x1.96231e612a431p-1);
    odd = multiply_add_f64(odd, square, -0x1.92bfca9eef944p-1);
    even = multiply_add_f64(even, square, 0x1.8c7600d8b8cfap-1);
    odd = multiply_add_f64(odd, square, -0x1.816a21a41d4a9p-1);
    even = multiply_add_f64(even, square, 0x1.6f52953e126bep-1);
    odd = multiply_add_f64(odd, square, -0x1.5410eda452354p-1);
    even = multiply_add_f64(even, square, 0x1.2eb10fa86fe68p-1);
    odd = multiply_add_f64(odd, square, -0x1.0063dbf2b17dep-1);
    const double low = multiply_add_f64(even, square, -0x1.09a0c5aaaa458p-54);
    return (pair_f64){0x1.39d436fa79e3ep0, multiply_add_f64(odd, s, low)};
}

/* Of z = 1 / x^2, what Stirling has after the terms that the callers write out: of lgamma times x,
 * of digamma times -x^2, of trigamma times x^3. */
FASTLOSS_INLINE float lgamma_tail_f32(float z)
{
    float c = -0x1.dc80acp-12f;
    c = multiply_add_f32(c, z, 0x1.9b6b2p-11f);
    c = multiply_add_f32(c, z, -0x1.6c1054p-9f);
    return multiply_add_f32(c, z, 0x1.555556p-4f);
}

FASTLOSS_INLINE double lgamma_tail_f64(double z)
{
    double c = 0x1.19b316dd154d5p-8;
    c = multiply_add_f64(c, z, -0x1.e3a7d2251545cp-10);
    c = multiply_add_f64(c, z, 0x1.b8a296ee4c83cp-11);
    c = multiply_add_f64(c, z, -0x1.3811d8c21b009p-11);
    c = multiply_add_f64(c, z, 0x1.a019ffb0c295p-11);
    c = multiply_add_f64(c, z, -0x1.6c16c16be0245p-9);
    return multiply_add_f64(c, z, 0x1.5555555555553p-4);
}

FASTLOSS_INLINE float digamma_tail_f32(float z)
{
    float c = -0x1.84ce26p-9f;
    c = multiply_add_f32(c, z, 0x1.fe54ap-9f);
    c = multiply_add_f32(c, z, -0x1.1103b8p-7f);
    return multiply_add_f32(c, z, 0x1.555554p-4f);
}

FASTLOSS_INLINE double digamma_tail_f64(double z)
{
    double c = -0x1.d699bd9c4f226p-3;
    c = multiply_add_f64(c, z, 0x1.33f3b4a3cae63p-4);
    c = multiply_add_f64(c, z, -0x1.56b06b7e04f96p-6);
    c = multiply_add_f64(c, z, 0x1.f05736e14aa62p-8);
    c = multiply_add_f64(c, z, -0x1.1110d0066019ap-8);
    c = multiply_add_f64(c, z, 0x1.041040cb27e95p-8);
    c = multiply_add_f64(c, z, -0x1.1111111107826p-7);
    return multiply_add_f64(c, z, 0x1.5555555555554p-4);
}

FASTLOSS_INLINE float trigamma_tail_f32(float z)
{
    float c = -0x1.6862a2p-6f;
    c = multiply_add_f32(c, z, 0x1.7ac24ap-6f);
    c = multiply_add_f32(c, z, -0x1.10f26cp-5f);
    return multiply_add_f32(c, z, 0x1.55554ep-3f);
}

FASTLOSS_INLINE double trigamma_tail_f64(double z)
{
    double c = 0x1.4662a1829a372p4;
    c = multiply_add_f64(c, z, -0x1.6bef8674cf551p2);
    c = multiply_add_f64(c, z, 0x1.21b5dd559b8f7p0);
    c = multiply_add_f64(c, z, -0x1.02a3f495bd964p-2);
    c = multiply_add_f64(c, z, 0x1.364866b89d004p-4);
    c = multiply_add_f64(c, z, -0x1.1111032042856p-5);
    c = multiply_add_f64(c, z, 0x1.8618617316e15p-6);
    c = multiply_add_f64(c, z, -0x1.111111110e8dbp-5);
    return multiply_add_f64(c, z, 0x1.5555555555555p-3);
}

/* x from [3, 6) less 1, 2 or 3; what was taken away, multiplied, is the quotient of the two Gammas,
 * and the sum of the reciprocals of the same factors is sum / product. */
typedef struct { double x, product, sum; } lowered_f64;

FASTLOSS_INLINE lowered_f64 lower_f64(double x)
{
    const double first = x >= 3.0 ? x - 1.0 : 1.0;
    const double second = x >= 4.0 ? x - 2.0 : 1.0;
    const double third = x >= 5.0 ? x - 3.0 : 1.0;
    const double one = x >= 3.0 ? 1.0 : 0.0;
    const double two = x >= 4.0 ? first : 0.0;
    const double pair = first * second;
    const double three = x >= 5.0 ? pair : 0.0;
    const double sum = multiply_add_f64(one, second, two);
    const double steps = one + (x >= 4.0 ? 1.0 : 0.0) + (x >= 5.0 ? 1.0 : 0.0);
    return (lowered_f64){x - steps, pair * third, multiply_add_f64(sum, third, three)};
}

/* near: log Gamma(w) +- log of what w is away from x; far: (x - 1/2) (log x - 1) + constant + tail.
 * Both are factor * log + rest, with the logarithm as a pair, because near 1 it is cancelled in part
 * and far out it is multiplied; half of it, lest the product overflow before the sum does. */
FASTLOSS_INLINE float lgamma_f32(float x)
{
    const float inverse = 1.0f / x;
    const float t = x < 1.0f ? x - 1.0f : x - 2.0f;
    const float zero = x < 1.0f ? x : x - 1.0f;
    const float zeros = zero * t;
    const float near = times_pair_f32(zeros, lgamma_ratio_f32(t), 0.0f);
    const float tail = lgamma_tail_f32(inverse * inverse);
    const float far = multiply_add_f32(tail, inverse, 0x1.acfe3ap-2f);
    const pair_f32 log = log_pair_f32(x);
    const float rising = x < 3.0f ? 0.0f : x - 0.5f;
    const float factor = x < 1.0f ? -1.0f : rising;
    const float high = x < 3.0f ? log.high : log.high - 1.0f;
    const float rest = multiply_add_f32(factor, log.low, x < 3.0f ? near : far);
    const float result = 2.0f * multiply_add_f32(0.5f * factor, high, 0.5f * rest);
    const float undefined = x == 0.0f ? INFINITY : NAN;
    const float positive = x > 0.0f ? result : undefined;
    return x < INFINITY ? positive : x;
}

FASTLOSS_INLINE double lgamma_f64(double x)
{
    const lowered_f64 lowered = lower_f64(x);
    const double inverse = 1.0 / x;
    const double t = x < 1.0 ? x - 1.0 : lowered.x - 2.0;
    const double zero = x < 1.0 ? x : lowered.x - 1.0;
    const double zeros = zero * t;
    const double near = times_pair_f64(zeros, lgamma_ratio_f64(t), 0.0);
    const double tail = lgamma_tail_f64(inverse * inverse);
    const double far = multiply_add_f64(tail, inverse, 0x1.acfe390c97d69p-2);
    const double middle = x < 6.0 ? lowered.product : x;
    const pair_f64 log = log_pair_f64(x < 1.0 ? x : middle);
    const double rising = x < 6.0 ? 1.0 : x - 0.5;
    const double factor = x < 1.0 ? -1.0 : rising;
    const double high = x < 6.0 ? log.high : log.high - 1.0;
    const double rest = multiply_add_f64(factor, log.low, x < 6.0 ? near : far);
    const double result = 2.0 * multiply_add_f64(0.5 * factor, high, 0.5 * rest);
    const double undefined = x == 0.0 ? (double)INFINITY : (double)NAN;
    const double positive = x > 0.0 ? result : undefined;
    return x < (double)INFINITY ? positive : x;
}

/* near: (w - zero) times the polynomial, where the zero is a pair, less 1 / x or plus the sum of
 * reciprocals; far: log x - 1 / (2 x) - tail. The rounding of what is added is `lost`: just below 1 a
 * third of 1 / x is cancelled, and it would count twice. */
FASTLOSS_INLINE float digamma_f32(float x)
{
    const float inverse = 1.0f / x;
    const float t = x < 1.0f ? x - 1.0f : x - 2.0f;
    const float zero = x < 1.0f ? 0x1.d8b618p-2f : 0x1.762d86p0f;
    const pair_f32 ratio = digamma_ratio_f32(t);
    const float lost = remainder_f32(1.0f, inverse, x) * inverse;
    const float low = ((x > 0.25f) & (x < 1.0f)) ? -lost : 0.0f;
    const float shift = multiply_add_f32(-0x1.ab5f2p-27f, ratio.high + ratio.low, low);
    const float near = times_pair_f32(x - zero, ratio, shift);
    const float away = x < 1.0f ? -inverse : 0.0f;
    const float tail = multiply_add_f32(digamma_tail_f32(inverse * inverse), inverse, 0.5f);
    const pair_f32 log = log_pair_f32(x);
    const float far = log.high + multiply_add_f32(-inverse, tail, log.low);
    const float result = x < 3.0f ? near + away : far;
    const float defined = x >= 0.0f ? result : NAN;
    return x < INFINITY ? defined : x;
}

FASTLOSS_INLINE double digamma_f64(double x)
{
    const lowered_f64 lowered = lower_f64(x);
    const double middle = x < 6.0 ? lowered.product : x;
    const double denominator = x < 1.0 ? x : middle;
    const double inverse = 1.0 / denominator;
    const double t = x < 1.0 ? x - 1.0 : lowered.x - 2.0;
    const double zero = x < 1.0 ? 0x1.d8b618d5af8fcp-2 : 0x1.762d86356be3fp0;
    const pair_f64 ratio = digamma_ratio_f64(t);
    const double numerator = x < 1.0 ? -1.0 : lowered.sum;
    const double away = numerator * inverse;
    const double lost = remainder_f64(numerator, away, denominator) * inverse;
    const double low = x > 0.25 ? lost : 0.0;
    const double shift = multiply_add_f64(-0x1.b86a722197829p-54, ratio.high + ratio.low, low);
    const double near = times_pair_f64(lowered.x - zero, ratio, shift);
    const double tail = multiply_add_f64(digamma_tail_f64(inverse * inverse), inverse, 0.5);
    const pair_f64 log = log_pair_f64(x);
    const double far = log.high + multiply_add_f64(-inverse, tail, log.low);
    const double defined = x >= 0.0 ? (x < 6.0 ? near + away : far) : (double)NAN;
    return x < (double)INFINITY ? defined : x;
}

/* near / w, and 1 / x^2 more where w = x + 1, scaled lest the square be subnormal; far / x. */
FASTLOSS_INLINE float trigamma_f32(float x)
{
    const float scaled = x * 0x1p32f;
    const float inverse = 1.0f / (x < 1.0f ? scaled * scaled : x);
    const pair_f32 near = trigamma_scaled_f32(x < 1.0f ? x - 1.0f : x - 2.0f);
    const float tail = trigamma_tail_f32(inverse * inverse);
    const float far = multiply_add_f32(multiply_add_f32(tail, inverse, 0.5f), inverse, 1.0f);
    const float quotient = (x < 3.0f ? near.high + near.low : far) / (x < 1.0f ? x + 1.0f : x);
    const float result = x < 1.0f ? multiply_add_f32(inverse, 0x1p64f, quotient) : quotient;
    return x >= 0.0f ? result : NAN;
}

FASTLOSS_INLINE double trigamma_f64(double x)
{
    const double scaled = x * 0x1p256;
    const double inverse = 1.0 / (x < 1.0 ? scaled * scaled : x);
    const double w = x < 1.0 ? x + 1.0 : x;
    const double from_middle = x < 1.0 ? x - 1.5 : x - 2.5;
    const pair_f64 near = trigamma_scaled_f64(from_middle / (w + 2.5));
    const double tail = trigamma_tail_f64(inverse * inverse);
    const double far = multiply_add_f64(multiply_add_f64(tail, inverse, 0.5), inverse, 1.0);
    const double quotient = (x < 6.0 ? near.high + near.low : far) / w;
    const double result = x < 1.0 ? multiply_add_f64(inverse, 0x1p512, quotient) : quotient;
    return x >= 0.0 ? result : (double)NAN;
}

/* What Stirling's leading terms leave of log Gamma and of its derivatives, for x > 0, 1 / x and log x:
 *
 *   stirling_rest   log Gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2 (Binet's function)
 *   stirling_slope  x (digamma(x) - log x)
 *   stirling_bend   x^2 trigamma(x) - x
 *
 * They end in 0, -1/2 and 1/2 as x grows, so that a likelihood of large shape or count is no difference
 * of large numbers. Their errors are those of numbers near 1, about an ulp of that, wherever they are
 * small. In float32 from 7/10 on they are polynomials in 1 / x, below in x, with x log x or
 * (x + 1/2) log x subtracted: the same polynomial with other coefficients, for selecting one of two
 * constants leaves the multipliers alone. In float64, from 6 on they are the series above; below,
 * what they are said to be.
 */
FASTLOSS_INLINE float stirling_rest_f32(float x, float per_x, float log_x)
{
    const int near = x < 0.7f;
    const float v = near ? x : per_x, log = near ? log_x : 0.0f;
    float c = near ? -0x1.54f41cp-6f : 0x1.025852p-14f;
    c = multiply_add_f32(c, v, near ? 0x1.52f84ap-4f : -0x1.681c5ep-12f);
    c = multiply_add_f32(c, v, near ? -0x1.580a98p-3f : 0x1.443ccap-11f);
    c = multiply_add_f32(c, v, near ? 0x1.09fe6ep-2f : 0x1.137952p-12f);
    c = multiply_add_f32(c, v, near ? -0x1.98986ep-2f : -0x1.7ac9cap-9f);
    c = multiply_add_f32(c, v, near ? 0x1.a50a0ep-1f : 0x1.4d4918p-16f);
    c = multiply_add_f32(c, v, near ? 0x1.b0ef36p-2f : 0x1.555424p-4f);
    c = multiply_add_f32(c, v, near ? -0x1.d67f1cp-1f : 0.0f);
    return multiply_add_f32(-(v + 0.5f), log, c);
}

FASTLOSS_INLINE float stirling_slope_f32(float x, float per_x, float log_x)
{
    const int near = x < 0.7f;
    const float v = near ? x : per_x, log = near ? log_x : 0.0f;
    float c = near ? 0x1.57c972p-4f : 0x1.c92568p-13f;
    c = multiply_add_f32(c, v, near ? -0x1.5fe2cp-2f : -0x1.83fc8p-10f);
    c = multiply_add_f32(c, v, near ? 0x1.5c3c82p-1f : 0x1.090b74p-8f);
    c = multiply_add_f32(c, v, near ? -0x1.d959e4p-1f : -0x1.449cfp-8f);
    c = multiply_add_f32(c, v, near ? 0x1.0f1e24p0f : -0x1.479a08p-13f);
    c = multiply_add_f32(c, v, near ? -0x1.330542p0f : 0x1.157aeap-7f);
    c = multiply_add_f32(c, v, near ? 0x1.a50fd8p0f : -0x1.99f17ap-16f);
    c = multiply_add_f32(c, v, near ? -0x1.278862p-1f : -0x1.5553fcp-4f);
    c = multiply_add_f32(c, v, near ? -1.0f : -0.5f);
    return multiply_add_f32(-v, log, c);
}

FASTLOSS_INLINE float stirling_bend_f32(float x, float per_x)
{
    const int near = x < 0.7f;
    const float v = near ? x : per_x;
    float c = near ? -0x1.71607ap-2f : 0x1.dd3fd4p-11f;
    c = multiply_add_f32(c, v, near ? 0x1.8965d8p0f : -0x1.d47b1cp-8f);
    c = multiply_add_f32(c, v, near ? -0x1.886f2ap1f : 0x1.887cecp-6f);
    c = multiply_add_f32(c, v, near ? 0x1.f8cd34p1f : -0x1.624986p-5f);
    c = multiply_add_f32(c, v, near ? -0x1.ed6a48p1f : 0x1.48d868p-5f);
    c = multiply_add_f32(c, v, near ? 0x1.998928p1f : -0x1.b1cc0ap-9f);
    c = multiply_add_f32(c, v, near ? -0x1.332786p1f : -0x1.0e9876p-5f);
    c = multiply_add_f32(c, v, near ? 0x1.a50caap0f : -0x1.2cdabp-19f);
    c = multiply_add_f32(c, v, near ? -0x1.ffff8ep-1f : 0x1.5554fp-3f);
    c = multiply_add_f32(c, v, near ? 1.0f : 0.5f);
    return c;
}

/* log Gamma(y + 1) for y >= 0, from log y, which counts from 7/10 on alone. About 1, where it is 0, with
 * the error of a number near 1. */
FASTLOSS_INLINE float log_factorial_f32(float y, float log_y)
{
    const int near = y < 0.7f;
    const float v = near ? y : 1.0f / y;
    float c = near ? 0x1.1854fcp-6f : 0.0f;
    c = multiply_add_f32(c, v, near ? -0x1.14f454p-4f : 0x1.025852p-14f);
    c = multiply_add_f32(c, v, near ? 0x1.1374cp-3f : -0x1.681c5ep-12f);
    c = multiply_add_f32(c, v, near ? -0x1.9495c4p-3f : 0x1.443ccap-11f);
    c = multiply_add_f32(c, v, near ? 0x1.1376d2p-2f : 0x1.137952p-12f);
    c = multiply_add_f32(c, v, near ? -0x1.9a2c2p-2f : -0x1.7ac9cap-9f);
    c = multiply_add_f32(c, v, near ? 0x1.a519e2p-1f : 0x1.4d4918p-16f);
    c = multiply_add_f32(c, v, near ? -0x1.2788dp-1f : 0x1.555424p-4f);
    c = multiply_add_f32(c, v, near ? 0.0f : 0x1.d67f1cp-1f);
    return multiply_add_f32(y + 0.5f, near ? 0.0f : log_y,
                            c - (near ? 0.0f : y));
}

FASTLOSS_INLINE double stirling_rest_f64(double x, double per_x, double log_x)
{
    const double inverse = x >= 6.0 ? per_x : 1.0;
    const double near = lgamma_f64(x < 1.0 ? x + 1.0 : x) -
                        (x + (x < 1.0 ? 0.5 : -0.5)) * log_x + x - 0x1.d67f1c864beb5p-1;
    return x >= 6.0 ? lgamma_tail_f64(inverse * inverse) * inverse : near;
}

FASTLOSS_INLINE double stirling_slope_f64(double x, double per_x, double log_x)
{
    const double inverse = x >= 6.0 ? per_x : 1.0;
    const double near = x * (digamma_f64(x < 1.0 ? x + 1.0 : x) - log_x) - (x < 1.0 ? 1.0 : 0.0);
    return x >= 6.0 ? -0.5 - digamma_tail_f64(inverse * inverse) * inverse : near;
}

FASTLOSS_INLINE double stirling_bend_f64(double x, double per_x)
{
    const double inverse = x >= 6.0 ? per_x : 1.0;
    const double near =
        x * (x * trigamma_f64(x < 1.0 ? x + 1.0 : x)) - x + (x < 1.0 ? 1.0 : 0.0);
    return x >= 6.0 ? 0.5 + trigamma_tail_f64(inverse * inverse) * inverse : near;
}

FASTLOSS_INLINE double log_factorial_f64(double y, double log_y)
{
    (void)log_y;
    /* What y + 1 rounds off y is all of a small y: times digamma, which t - 0.577... is at 1 and near it. */
    const double small = y < 2.0 ? y : 0.0;
    const double t = (small + 1.0) - 1.0;
    return multiply_add_f64(small - t, t - 0x1.2788cfc6fb619p-1, lgamma_f64(y + 1.0));
}

/* ---- Powers ---------------------------------------------------------------------------------
 * x^y = e^(y log x) takes more of the logarithm than its rounded value, whose error counts y log x
 * times: it comes as a pair, and so does y, which in float32 is a double cut in two. The pair's own
 * error, a tenth of an ulp of 1, counts y times.
 */

/* log x for x >= 0 as a pair without overlap. At 0 and at infinity it is finite, and past all that has
 * an exponential: 0 times it is 0. */
FASTLOSS_INLINE pair_f32 bounded_log_f32(float x)
{
    const pair_f32 log = log_pair_f32(x);
    const pair_f32 sum = ordered_sum_f32(log.high, log.low);
    const float end = x == 0.0f ? -1e30f : NAN;
    const float high = x > 0.0f ? sum.high : end;
    return (pair_f32){x < INFINITY ? high : (x == INFINITY ? 1e30f : x), sum.low};
}

FASTLOSS_INLINE pair_f64 bounded_log_f64(double x)
{
    const pair_f64 log = log_pair_f64(x);
    const pair_f64 sum = ordered_sum_f64(log.high, log.low);
    const double end = x == 0.0 ? -1e30 : (double)NAN;
    const double high = x > 0.0 ? sum.high : end;
    return (pair_f64){x < (double)INFINITY ? high : (x == (double)INFINITY ? 1e30 : x), sum.low};
}

FASTLOSS_INLINE float log_high_f32(float x) { return bounded_log_f32(x).high; }
FASTLOSS_INLINE float log_low_f32(float x) { return bounded_log_f32(x).low; }

FASTLOSS_INLINE double log_high_f64(double x) { return bounded_log_f64(x).high; }
FASTLOSS_INLINE double log_low_f64(double x) { return bounded_log_f64(x).low; }

/* x, and far out, where the sign of `within` is set, x times a power of 2. */
FASTLOSS_INLINE float scaled_down_f32(float x, float within)
{
    return x * by_sign_f32(within, 1.0f, 0x1p-65f);
}

FASTLOSS_INLINE double scaled_down_f64(double x, double within)
{
    return x * by_sign_f64(within, 1.0, 0x1p-514);
}

/* log(1 + x^2) for x >= 0 in two parts, the first of which is short. Far out, from 2^30 on, x is
 * lowered, lest it overflow, and the logarithm is twice that of x. Chosen by a sign: of several
 * ternaries with one condition GCC makes two ways through all that follows, and a vector loop goes
 * both. */
FASTLOSS_INLINE pair_f32 log1p_square_f32(float x, float within)
{
    const float one = by_sign_f32(within, 1.0f, 0.0f);
    const float twice = by_sign_f32(within, 1.0f, 2.0f);
    const float square = x * by_sign_f32(within, x, 1.0f);
    const uint32_t exponent = log_exponent_f32(one + square);
    const float power = reciprocal_power_f32(exponent);
    const float f = multiply_add_f32(square, power, multiply_add_f32(one, power, -1.0f));
    const float k = twice * (exponent_to_float(exponent) + by_sign_f32(within, 0.0f, 65.0f));
    const float quotient = multiply_add_f32(log_cubic_f32(f), f, -0.5f);
    const float near = multiply_add_f32(f * f, quotient, f);
    return (pair_f32){k * LN2_HIGH_F32, multiply_add_f32(k, LN2_LOW_F32, twice * near)};
}

FASTLOSS_INLINE pair_f64 log1p_square_f64(double x, double within)
{
    const double one = by_sign_f64(within, 1.0, 0.0);
    const double twice = by_sign_f64(within, 1.0, 2.0);
    const double square = x * by_sign_f64(within, x, 1.0);
    const uint64_t exponent = log_exponent_f64(one + square);
    const double power = reciprocal_power_f64(exponent);
    const double f = multiply_add_f64(square, power, multiply_add_f64(one, power, -1.0));
    const double k = twice * (exponent_to_double(exponent) + by_sign_f64(within, 0.0, 514.0));
    const double quotient = multiply_add_f64(log_cubic_f64(f), f, -0.5);
    const double near = multiply_add_f64(f * f, quotient, f);
    return (pair_f64){k * LN2_HIGH_F64, multiply_add_f64(k, LN2_LOW_F64, twice * near)};
}

FASTLOSS_INLINE float log1p_square_high_f32(float x, float within)
{
    return log1p_square_f32(x, within).high;
}
FASTLOSS_INLINE float log1p_square_low_f32(float x, float within)
{
    return log1p_square_f32(x, within).low;
}

FASTLOSS_INLINE double log1p_square_high_f64(double x, double within)
{
    return log1p_square_f64(x, within).high;
}
FASTLOSS_INLINE double log1p_square_low_f64(double x, double within)
{
    return log1p_square_f64(x, within).low;
}

/* log(1 + x^2 (y + y_low)^2) for x, y >= 0 whose product has a square far from overflow,
 * as a pair like bounded_log. */
FASTLOSS_INLINE pair_f32 log1p_square_of_product_f32(float x, float y, float y_low)
{
    const float high = x * y;
    const float low = multiply_add_f32(x, y_low, -remainder_f32(high, x, y));
    const float square = high * high;
    const float square_low = multiply_add_f32(2.0f * high, low, -remainder_f32(square, high, high));
    const pair_f32 sum = exact_sum_f32(1.0f, square);
    const pair_f32 log = log_pair_f32(sum.high);
    const float carry = square < 0x1p-20f ? sum.low : 0.0f;
    const float bent = carry * ((sum.high - 1.0f) + 0.5f * carry);
    const pair_f32 first = ordered_sum_f32(log.high, carry);
    const float rest = log.low + ((square_low + (sum.low - carry)) - bent) / sum.high;
    return ordered_sum_f32(first.high, first.low + rest);
}

FASTLOSS_INLINE pair_f64 log1p_square_of_product_f64(double x, double y, double y_low)
{
    const double high = x * y;
    const double low = multiply_add_f64(x, y_low, -remainder_f64(high, x, y));
    const double square = high * high;
    const double square_low = multiply_add_f64(2.0 * high, low, -remainder_f64(square, high, high));
    const pair_f64 sum = exact_sum_f64(1.0, square);
    const pair_f64 log = log_pair_f64(sum.high);
    const double carry = square < 0x1p-20 ? sum.low : 0.0;
    const double bent = carry * ((sum.high - 1.0) + 0.5 * carry);
    const pair_f64 first = ordered_sum_f64(log.high, carry);
    const double rest = log.low + ((square_low + (sum.low - carry)) - bent) / sum.high;
    return ordered_sum_f64(first.high, first.low + rest);
}

FASTLOSS_INLINE float log1p_square_of_product_high_f32(float x, float y, float y_low)
{
    return log1p_square_of_product_f32(x, y, y_low).high;
}

FASTLOSS_INLINE double log1p_square_of_product_high_f64(double x, double y, double y_low)
{
    return log1p_square_of_product_f64(x, y, y_low).high;
}

FASTLOSS_INLINE float log1p_square_of_product_low_f32(float x, float y, float y_low)
{
    return log1p_square_of_product_f32(x, y, y_low).low;
}

FASTLOSS_INLINE double log1p_square_of_product_low_f64(double x, double y, double y_low)
{
    return log1p_square_of_product_f64(x, y, y_low).low;
}

/* (y + y_low) (x + more), where y_low is small, and x zero or larger than `more`. What it rounds is no
 * larger than what y times the rounding of `more` is. */
FASTLOSS_INLINE pair_f32 pair_product_f32(float y, float y_low, float x, float more)
{
    const float high = multiply_add_f32(y, more, y * x);
    const float low = multiply_add_f32(y, more, -remainder_f32(high, y, x));
    return (pair_f32){high, multiply_add_f32(y_low, x, low)};
}

FASTLOSS_INLINE pair_f64 pair_product_f64(double y, double y_low, double x, double more)
{
    const double high = multiply_add_f64(y, more, y * x);
    const double low = multiply_add_f64(y, more, -remainder_f64(high, y, x));
    return (pair_f64){high, multiply_add_f64(y_low, x, low)};
}

/* e to that power. Beyond the largest number nothing is corrected. */
FASTLOSS_INLINE float exp_product_f32(float y, float y_low, float x, float x_low)
{
    const pair_f32 product = pair_product_f32(y, y_low, x, x_low);
    const float result = exp_f32(product.high);
    return multiply_add_f32(result < INFINITY ? result : 0.0f, product.low, result);
}

FASTLOSS_INLINE double exp_product_f64(double y, double y_low, double x, double x_low)
{
    const pair_f64 product = pair_product_f64(y, y_low, x, x_low);
    const double result = exp_f64(product.high);
    return multiply_add_f64(result < (double)INFINITY ? result : 0.0, product.low, result);
}

/* A number between bounds and what it is more, if it is within them, reduced. */
FASTLOSS_INLINE reduced_f32 reduce_pair_f32(float bounded, float within, float more)
{
    const float shifted = multiply_add_f32(bounded, PER_LN2_F32, ROUNDER_F32);
    const float n = shifted - ROUNDER_F32;
    const float low = multiply_add_f32(n, -LN2_LOW_F32, by_sign_f32(within, more, 0.0f));
    const float coarse = multiply_add_f32(n, -LN2_HIGH_F32, bounded);
    const float high = coarse + low;
    return (reduced_f32){high, low - (high - coarse), bits_f32(shifted) << 23};
}

FASTLOSS_INLINE reduced_f64 reduce_pair_f64(double bounded, double within, double more)
{
    const double shifted = multiply_add_f64(bounded, PER_LN2_F64, ROUNDER_F64);
    const double n = shifted - ROUNDER_F64;
    const double low = multiply_add_f64(n, -LN2_LOW_F64, by_sign_f64(within, more, 0.0));
    const double coarse = multiply_add_f64(n, -LN2_HIGH_F64, bounded);
    const double high = coarse + low;
    return (reduced_f64){high, low - (high - coarse), bits_f64(shifted) << 52};
}

/* e^(high + low) as first (1 + expm1) second, where the two others are powers of 2: half of a power
 * that may be out of reach itself. From the bound on, what there is to multiply is 0 or infinite. */
typedef struct { float expm1, first, second; } halved_power_f32;
typedef struct { double expm1, first, second; } halved_power_f64;

FASTLOSS_INLINE halved_power_f32 halve_power_f32(pair_f32 x)
{
    const float size = absolute_f32(x.high);
    const float bounded = with_sign_f32(at_most_f32(size, 175.7f), x.high);
    const reduced_f32 r = reduce_pair_f32(bounded, 175.7f - size, x.low);
    const float quotient = multiply_add_f32(exp_cubic_f32(r.high), r.high, 0.5f);
    const uint32_t half = ((r.exponent + (256u << 23)) >> 1) & 0xff800000u;
    return (halved_power_f32){multiply_add_f32(r.high * r.high, quotient, r.high),
                              float_of_bits(half - (1u << 23)),
                              float_of_bits(r.exponent + (255u << 23) - half)};
}

FASTLOSS_INLINE halved_power_f64 halve_power_f64(pair_f64 x)
{
    const double size = absolute_f64(x.high);
    const double bounded = with_sign_f64(at_most_f64(size, 1417.8), x.high);
    const reduced_f64 r = reduce_pair_f64(bounded, 1417.8 - size, x.low);
    const double quotient = multiply_add_f64(exp_cubic_f64(r.high), r.high, 0.5);
    const uint64_t half = ((r.exponent + (2048ull << 52)) >> 1) & 0xfff0000000000000u;
    return (halved_power_f64){multiply_add_f64(r.high * r.high, quotient, r.high),
                              double_of_bits(half - (1ull << 52)),
                              double_of_bits(r.exponent + (2047ull << 52) - half)};
}

/* e^x as near far^2, both finite and far a power of 2, about the third root: a number times far, far and
 * near, in this order, is rounded once, vanishes when the whole does, is infinite when the whole is (or is
 * about to be, within half of it), and 0 stays 0. At the bounds that is so for every number there is; far,
 * whose bits run out at the lower one, is 0 there. */
FASTLOSS_INLINE void split_exp_f32(float x, reduced_f32 r, float *near, float *far)
{
    const float share = multiply_add_f32(x, 0.34f * PER_LN2_F32, ROUNDER_F32);
    const float quotient = multiply_add_f32(exp_cubic_f32(r.high), r.high, 0.5f);
    const float expm1 = multiply_add_f32(r.high * r.high, quotient, r.high);
    const uint32_t exponent = r.exponent - (bits_f32(share) << 24);
    const float power = float_of_bits(exponent + EXPONENT_F32(0));
    *near = multiply_add_f32(power, expm1, power);
    *far = float_of_bits((bits_f32(share) << 23) + EXPONENT_F32(0));
}

FASTLOSS_INLINE void split_exp_f64(double x, reduced_f64 r, double *near, double *far)
{
    const double share = multiply_add_f64(x, 0.34 * PER_LN2_F64, ROUNDER_F64);
    const double quotient = multiply_add_f64(exp_cubic_f64(r.high), r.high, 0.5);
    const double expm1 = multiply_add_f64(r.high * r.high, quotient, r.high);
    const uint64_t exponent = r.exponent - (bits_f64(share) << 53);
    const double power = double_of_bits(exponent + EXPONENT_F64(0));
    *near = multiply_add_f64(power, expm1, power);
    *far = double_of_bits((bits_f64(share) << 52) + EXPONENT_F64(0));
}

FASTLOSS_INLINE void exp_factors_f32(float x, float *near, float *far)
{
    const float bounded = with_sign_f32(at_most_f32(absolute_f32(x), 258.5f), x);
    split_exp_f32(bounded, reduce_f32(bounded), near, far);
}

FASTLOSS_INLINE void exp_factors_f64(double x, double *near, double *far)
{
    const double bounded = with_sign_f64(at_most_f64(absolute_f64(x), 2085.7), x);
    split_exp_f64(bounded, reduce_f64(bounded), near, far);
}

/* The same of a product of two numbers in two parts. */
FASTLOSS_INLINE void power_factors_f32(float y, float y_low, float x, float x_low,
                                       float *near, float *far)
{
    const pair_f32 product = pair_product_f32(y, y_low, x, x_low);
    const float size = absolute_f32(product.high);
    const float bounded = with_sign_f32(at_most_f32(size, 258.5f), product.high);
    split_exp_f32(bounded, reduce_pair_f32(bounded, 258.5f - size, product.low), near, far);
}

FASTLOSS_INLINE void power_factors_f64(double y, double y_low, double x, double x_low,
                                       double *near, double *far)
{
    const pair_f64 product = pair_product_f64(y, y_low, x, x_low);
    const double size = absolute_f64(product.high);
    const double bounded = with_sign_f64(at_most_f64(size, 2085.7), product.high);
    split_exp_f64(bounded, reduce_pair_f64(bounded, 2085.7 - size, product.low), near, far);
}

/* a / b times e to that power, with no overflow before the whole has one. */
FASTLOSS_INLINE float quotient_exp_product_f32(float a, float b, float y, float y_low, float x,
                                               float x_low)
{
    const halved_power_f32 p = halve_power_f32(pair_product_f32(y, y_low, x, x_low));
    return a * multiply_add_f32(p.first, p.expm1, p.first) / b * p.second;
}

FASTLOSS_INLINE double quotient_exp_product_f64(double a, double b, double y, double y_low, double x,
                                                double x_low)
{
    const halved_power_f64 p = halve_power_f64(pair_product_f64(y, y_low, x, x_low));
    return a * multiply_add_f64(p.first, p.expm1, p.first) / b * p.second;
}

/* e to that power less 1, times a factor: the same steps but for the last, where first - 1 / second keeps
 * 1 in the scale of the half, and the factor comes before the other half. */
FASTLOSS_INLINE float expm1_product_f32(float factor, float y, float y_low, float x,
                                   float x_low)
{
    const halved_power_f32 p = halve_power_f32(pair_product_f32(y, y_low, x, x_low));
    const float inverse = float_of_bits(EXPONENT_F32(0) + EXPONENT_F32(0) - bits_f32(p.second));
    return factor * multiply_add_f32(p.first, p.expm1, p.first - inverse) * p.second;
}

FASTLOSS_INLINE double expm1_product_f64(double factor, double y, double y_low, double x,
                                     double x_low)
{
    const halved_power_f64 p = halve_power_f64(pair_product_f64(y, y_low, x, x_low));
    const double inverse = double_of_bits(EXPONENT_F64(0) + EXPONENT_F64(0) - bits_f64(p.second));
    return factor * multiply_add_f64(p.first, p.expm1, p.first - inverse) * p.second;
}

#endif
