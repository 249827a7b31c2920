/* What the processor and the operating system can run, by the psABI's levels.
   Each level is tested for everything that the compiler may use when it targets that level, and for
   the registers that the operating system saves: a processor with AVX-512 under a kernel that does
   not save its registers is not level 4. */
#ifndef FASTLOSS_CPU_H
#define FASTLOSS_CPU_H

#include <stdint.h>

#if defined(__x86_64__) || defined(_M_X64)
#define FASTLOSS_X86 1
#ifdef _MSC_VER
#include <intrin.h>
#include <immintrin.h>
static void fastloss_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]) {
    int out[4];
    __cpuidex(out, (int)leaf, (int)sub);
    for (int i = 0; i < 4; i++) r[i] = (uint32_t)out[i];
}
static uint64_t fastloss_xcr0(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void fastloss_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]) {
    __cpuid_count(leaf, sub, r[0], r[1], r[2], r[3]);
}
static uint64_t fastloss_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}
#endif

static int fastloss_has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

/* 1: x86-64, 2: v2, 3: v3, 4: v4. */
static int fastloss_cpu_level(void) {
    uint32_t r[4], basic, extended, ecx1, ebx7 = 0, ecx81 = 0;
    uint64_t saved = 0;
    fastloss_cpuid(0, 0, r);
    basic = r[0];
    fastloss_cpuid(1, 0, r);
    ecx1 = r[2];
    if (basic >= 7) {
        fastloss_cpuid(7, 0, r);
        ebx7 = r[1];
    }
    fastloss_cpuid(0x80000000u, 0, r);
    extended = r[0];
    if (extended >= 0x80000001u) {
        fastloss_cpuid(0x80000001u, 0, r);
        ecx81 = r[2];
    }
    /* SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF */
    if (!fastloss_has(ecx1, 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23) ||
        !fastloss_has(ecx81, 1u << 0))
        return 1;
    if (fastloss_has(ecx1, 1u << 27)) saved = fastloss_xcr0(); /* OSXSAVE */
    /* FMA, MOVBE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT; SSE and AVX registers saved */
    if (!fastloss_has(ecx1, 1u << 12 | 1u << 22 | 1u << 28 | 1u << 29) ||
        !fastloss_has(ebx7, 1u << 3 | 1u << 5 | 1u << 8) || !fastloss_has(ecx81, 1u << 5) ||
        (saved & 0x6u) != 0x6u)
        return 2;
    /* AVX512F, DQ, CD, BW, VL; mask and upper vector registers saved */
    if (!fastloss_has(ebx7, 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31) ||
        (saved & 0xe6u) != 0xe6u)
        return 3;
    return 4;
}

static void fastloss_cpu_name(char name[49]) {
    uint32_t r[4];
    name[0] = 0;
    fastloss_cpuid(0x80000000u, 0, r);
    if (r[0] < 0x80000004u) return;
    for (uint32_t i = 0; i < 3; i++) {
        fastloss_cpuid(0x80000002u + i, 0, r);
        for (int j = 0; j < 16; j++) name[16 * i + j] = (char)(r[j / 4] >> (8 * (j % 4)));
    }
    name[48] = 0;
}
#else
#define FASTLOSS_X86 0
static int fastloss_cpu_level(void) { return 1; }
static void fastloss_cpu_name(char name[49]) { name[0] = 0; }
#endif

#if defined(__clang__)
#define FASTLOSS_COMPILER "Clang " __clang_version__
#elif defined(__GNUC__)
#define FASTLOSS_COMPILER "GCC " __VERSION__
#elif defined(_MSC_VER)
#define FASTLOSS_STRING_(x) #x
#define FASTLOSS_STRING(x) FASTLOSS_STRING_(x)
#define FASTLOSS_COMPILER "MSVC " FASTLOSS_STRING(_MSC_FULL_VER)
#else
#define FASTLOSS_COMPILER "unknown"
#endif

#endif
