# Tile functions of one instruction-set level, expanded by fastloss/kernels/expand.py.

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.math cimport INFINITY, NAN
from libc.string cimport memcpy, memset

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

cdef extern from "stream.h" nogil:
    void stream_out(void* target, const void* source, size_t bytes_)
    void stream_run(const void* tile, Py_ssize_t start, Py_ssize_t n, Py_ssize_t size, void* home)

cdef extern from "half_precision.h" nogil:
    float bfloat_to_float(uint16_t h)
    float half_to_float(uint16_t h)
    void halves_to_floats(const uint16_t* x, Py_ssize_t n, float* y)
    void floats_to_halves(const float* x, Py_ssize_t n, uint16_t* y)
    uint16_t float_to_bfloat(float x)

cdef extern from "data_movement.h" nogil:
    void fetch_ahead(const void* source, size_t bytes_)

cdef extern from * nogil:
    int64_t INT64_MIN
