"""Tensors of another library as arrays, through DLPack's C exchange interface.

A type of tensors has in `__dlpack_c_exchange_api__` a table of functions, one of which says where a
tensor lies, in a fifth of the time that the tensor takes to make an array itself. What is declared
below is the part of the interface (`dlpack.h`, version 1.3) that this takes.
"""

from cpython.exc cimport PyErr_Clear
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid
from cpython.ref cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

cimport numpy as cnp

import numpy as np

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    cdef enum:
        MOST_AXES "NPY_MAXDIMS"

cdef enum:
    MAJOR = 1
    CPU = 1

cdef struct Header:
    uint32_t major
    uint32_t minor
    Header* previous

cdef struct View:
    void* data
    int32_t device
    int32_t device_number
    int32_t ndim
    uint8_t code
    uint8_t bits
    uint16_t lanes
    int64_t* shape
    int64_t* strides
    uint64_t offset

cdef struct Api:
    Header header
    void* allocate
    void* to_managed
    void* from_managed
    int (*view)(PyObject* tensor, View* view) noexcept
    void* stream

# NumPy's number of a type by DLPack's code and the logarithm of its bytes.
cdef int[7][4] NUMBERS
memset(NUMBERS, -1, sizeof(NUMBERS))
for code, names in ((0, "i1 i2 i4 i8"), (1, "u1 u2 u4 u8"), (2, ". f2 f4 f8"), (6, "b1")):
    for size, dtype in enumerate(names.split()):
        if dtype != ".":
            NUMBERS[code][size] = np.dtype(dtype).num

cdef const char* NAME = "dlpack_exchange_api"
cdef const Api* api = NULL
cdef object types = ()
cdef object otherwise = None


def bind(capsule, of_types, other):
    """Take over a library's table of functions; there is one such library in a process.

    Parameters
    ----------
    capsule : object
        What its type of tensors has in `__dlpack_c_exchange_api__`, if anything.
    of_types : set of types
        Of tensors whose memory is all that they are; a subclass may be anything.
    other : callable
        Called by :func:`array`, with its arguments, for what is not as simple as that.
    """
    global api, types, otherwise
    cdef Api* found = NULL
    if PyCapsule_IsValid(capsule, NAME):
        found = <Api*>PyCapsule_GetPointer(capsule, NAME)
        while found != NULL and found.header.major != MAJOR:
            found = <Api*>found.header.previous
    api = NULL if found == NULL or found.view == NULL else found
    types = of_types
    otherwise = other


def array(str name, tensor):
    """Return a tensor's memory as an array, which keeps the tensor alive."""
    cdef View view
    cdef cnp.npy_intp[MOST_AXES] strides
    cdef cnp.ndarray found
    cdef int i, number = -1
    if api != NULL and type(tensor) in types:
        if api.view(<PyObject*>tensor, &view) != 0:
            PyErr_Clear()
        elif (view.device == CPU and view.data != NULL and view.lanes == 1 and view.code < 7
                and view.ndim <= MOST_AXES and not tensor.is_neg()):
            # What is to be negated when it is read looks like anything else.
            for i in range(4):
                if view.bits == 8 << i:
                    number = NUMBERS[view.code][i]
    if number < 0:
        return otherwise(name, tensor)
    for i in range(view.ndim):
        strides[i] = view.strides[i] * (view.bits // 8)
    found = cnp.PyArray_New(
        np.ndarray, view.ndim, <cnp.npy_intp*>view.shape, number, strides,
        <char*>view.data + view.offset, 0, cnp.NPY_ARRAY_WRITEABLE, None)
    cnp.set_array_base(found, tensor)
    return found
