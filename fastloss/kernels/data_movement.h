/* What a loop in C cannot say about moving data: transposing squares in registers, and fetching
 * ahead. */
#ifndef FASTLOSS_DATA_MOVEMENT_H
#define FASTLOSS_DATA_MOVEMENT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- Squares --------------------------------------------------------------------------------
 * y[i * y_stride + j] = x[j * x_stride + i] for i and j below 4, in registers. Twice as wide a
 * vector gains a little on the way in and nothing on the way out.
 */

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define FASTLOSS_SHUFFLE 1
#endif
#endif

#ifdef FASTLOSS_SHUFFLE

typedef float fastloss_floats __attribute__((vector_size(16)));
typedef double fastloss_doubles __attribute__((vector_size(32)));

#define FASTLOSS_TRANSPOSE_SQUARE(name, real, vector)                                              \
    static inline void name(const real *x, ptrdiff_t x_stride, real *y, ptrdiff_t y_stride)        \
    {                                                                                              \
        vector row[4], column[4];                                                                  \
        for (int j = 0; j < 4; j++)                                                                \
            memcpy(&row[j], x + j * x_stride, sizeof(vector));                                     \
        const vector low_01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);                 \
        const vector low_23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);                 \
        const vector high_01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);                \
        const vector high_23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);                \
        column[0] = __builtin_shufflevector(low_01, low_23, 0, 1, 4, 5);                           \
        column[1] = __builtin_shufflevector(low_01, low_23, 2, 3, 6, 7);                           \
        column[2] = __builtin_shufflevector(high_01, high_23, 0, 1, 4, 5);                         \
        column[3] = __builtin_shufflevector(high_01, high_23, 2, 3, 6, 7);                         \
        for (int i = 0; i < 4; i++)                                                                \
            memcpy(y + i * y_stride, &column[i], sizeof(vector));                                  \
    }

FASTLOSS_TRANSPOSE_SQUARE(transpose_square_f32, float, fastloss_floats)
FASTLOSS_TRANSPOSE_SQUARE(transpose_square_f64, double, fastloss_doubles)

#else

#define FASTLOSS_TRANSPOSE_SQUARE(name, real)                                                      \
    static inline void name(const real *x, ptrdiff_t x_stride, real *y, ptrdiff_t y_stride)        \
    {                                                                                              \
        for (int i = 0; i < 4; i++)                                                                \
            for (int j = 0; j < 4; j++)                                                            \
                y[i * y_stride + j] = x[j * x_stride + i];                                         \
    }

FASTLOSS_TRANSPOSE_SQUARE(transpose_square_f32, float)
FASTLOSS_TRANSPOSE_SQUARE(transpose_square_f64, double)

#endif

/* ---- Ahead ----------------------------------------------------------------------------------
 * Into the second cache, while something else is computed. The address may be any.
 */

static inline void fetch_ahead(const void *source, size_t bytes)
{
#if defined(__GNUC__) || defined(__clang__)
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *)source + i, 0, 2);
#endif
}

#endif
