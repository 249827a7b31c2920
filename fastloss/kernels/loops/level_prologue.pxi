# Tile functions of one instruction-set level, expanded by fastloss/kernels/expand.py.

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.math cimport INFINITY, NAN
from libc.string cimport memcpy

cdef extern from *:
    """
    /* A formula that stays a call is a loop that stays scalar, and compilers weigh the size of what
       they inline: here there is nothing to weigh. */
    #undef CYTHON_INLINE
    #ifdef _MSC_VER
    #define CYTHON_INLINE __forceinline
    #else
    #define CYTHON_INLINE inline __attribute__((always_inline))
    #endif
    """

cdef extern from "half_precision.h" nogil:
    float half_to_float(uint16_t h)
    float bfloat_to_float(uint16_t h)
    uint16_t float_to_half(float x)
    uint16_t float_to_bfloat(float x)
