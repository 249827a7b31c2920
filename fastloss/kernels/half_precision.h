/* float16 and bfloat16 as bits, converted without branches so that the loops vectorise.
   Rounding is to nearest, ties to even; subnormals, infinities and NaN are kept. */
#ifndef FASTLOSS_HALF_PRECISION_H
#define FASTLOSS_HALF_PRECISION_H

#include <stdint.h>
#include <string.h>

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

#endif
