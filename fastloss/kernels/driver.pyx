"""The driver: checks the arguments of a call, cuts arrays into chunks and tiles, and sums.

Everything here is compiled once, for the oldest processor of its kind; the arithmetic is in the
tile functions of an instruction-set level, which are called through pointers.

    call      arguments.pxi     dtype, shape, layout, weight, out: the one place that checks
    results   memory.pxi        where large ones get their memory
    job       operands.pxi      where each array is and how a tile of it is loaded or stored
    chunks    threads.pxi       fixed chunks over threads, partial sums combined in a fixed tree
    tiles     elementwise.pxi   losses of one number against one number
              classes.pxi       losses of a row of classes against a label or probabilities
              classwise.pxi     those that are sums of an elementwise formula over the classes
              sweep.pxi         the same loss with many sets of hyper-parameters
              linear.pxi        the same with a vocabulary that comes tile by tile
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_New
from cython.parallel cimport prange
from libc.math cimport INFINITY, NAN, isfinite
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset, strcpy

cimport numpy as cnp

import os

import numpy as np

cnp.import_array()

cdef object np_ndarray = np.ndarray

cdef extern from "stream.h" nogil:
    bint FASTLOSS_STREAMS
    Py_ssize_t stream_threshold()
    void stream_fence()

include "tiles.pxi"
include "loops/lanes.pxi"
include "driver_parts/memory.pxi"
include "driver_parts/operands.pxi"
include "driver_parts/threads.pxi"
include "driver_parts/elementwise.pxi"
include "driver_parts/classes.pxi"
include "driver_parts/classwise.pxi"
include "driver_parts/arguments.pxi"
include "driver_parts/loss.pxi"
include "driver_parts/sweep.pxi"
include "driver_parts/linear.pxi"
