"""A function in Python as a custom call of XLA on the CPU.

XLA's foreign-function interface hands a function the addresses and shapes of its buffers: here they
become arrays, without a copy, and errors become errors of XLA. What is declared below is the part
of the interface (`xla/ffi/api/c_api.h`, version 0.x, whose minor versions only add) that this takes;
it is all that the build needs, and nothing of XLA is linked.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyTypeObject
from cpython.pycapsule cimport PyCapsule_New
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t

cimport numpy as cnp

import numpy as np

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(
        PyTypeObject* subtype, cnp.dtype descr, int nd, const cnp.npy_intp* dims,
        const cnp.npy_intp* strides, void* data, int flags, void* parent)

cdef enum:
    MAJOR = 0
    EXTENSION_METADATA = 1
    STRING = 4
    INVALID_ARGUMENT = 3
    OUT_OF_RANGE = 11
    INTERNAL = 13

cdef struct Extension:
    size_t size
    int kind
    Extension* next

cdef struct Version:
    size_t size
    Extension* extensions
    int major
    int minor

cdef struct Metadata:
    size_t size
    Version version

cdef struct MetadataExtension:
    Extension base
    Metadata* metadata

ctypedef void Error

cdef struct ErrorArguments:
    size_t size
    Extension* extensions
    const char* message
    int code

cdef struct Api:
    size_t size
    Extension* extensions
    Version version
    void* internal
    Error* (*create_error)(ErrorArguments*) noexcept nogil

cdef struct Buffer:
    size_t size
    Extension* extensions
    int dtype
    void* data
    int64_t rank
    int64_t* shape

# Arguments and results.
cdef struct Buffers:
    size_t size
    Extension* extensions
    int64_t count
    int* kinds
    Buffer** buffers

cdef struct Span:
    const char* text
    size_t length

cdef struct Attributes:
    size_t size
    Extension* extensions
    int64_t count
    int* kinds
    Span** names
    void** values

cdef struct Frame:
    size_t size
    Extension* extensions
    const Api* api
    void* context
    int stage
    Buffers inputs
    Buffers outputs
    Attributes attributes


# By XLA's numbers.
DTYPES = {
    number: np.dtype(name)
    for number, name in {
        1: "bool", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "uint8", 7: "uint16",
        8: "uint32", 9: "uint64", 10: "float16", 11: "float32", 12: "float64",
    }.items()
}
cdef enum:
    BFLOAT16 = 16
cdef object function = None


def target(run, bfloat16):
    """Return the custom call that runs a function, as a capsule for ``jax.ffi``.

    Parameters
    ----------
    run : callable
        Called with the bytes of the call's only attribute, the list of its arguments and that of
        its results, which it fills. There is one such function in a process.
    bfloat16 : dtype
        Of arrays of that type.
    """
    global function
    function = run
    DTYPES[BFLOAT16] = bfloat16
    return PyCapsule_New(<void*>handle, NULL, NULL)


cdef Error* handle(Frame* frame) noexcept nogil:
    cdef Extension* extension = frame.extensions
    if extension != NULL and extension.kind == EXTENSION_METADATA:
        # XLA asks which version this was made for, when it is registered.
        version = &(<MetadataExtension*>extension).metadata.version
        version.major = MAJOR
        version.minor = frame.api.version.minor
        return NULL
    with gil:
        return call(frame)


cdef Error* call(Frame* frame) noexcept:
    cdef Span* attribute
    cdef int code = INTERNAL
    try:
        if frame.attributes.count != 1 or frame.attributes.kinds[0] != STRING:
            raise TypeError("a custom call of fastloss has one attribute, a string")
        attribute = <Span*>frame.attributes.values[0]
        function(PyBytes_FromStringAndSize(attribute.text, attribute.length),
                 arrays(&frame.inputs, cnp.NPY_ARRAY_CARRAY_RO),
                 arrays(&frame.outputs, cnp.NPY_ARRAY_CARRAY))
        return NULL
    except (ValueError, TypeError) as error:
        code = INVALID_ARGUMENT
        text = str(error)
    except IndexError as error:
        code = OUT_OF_RANGE
        text = str(error)
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
    return failure(frame, code, text)


cdef Error* failure(Frame* frame, int code, str text) noexcept:
    cdef bytes message = text.encode()
    cdef ErrorArguments arguments
    arguments.size = sizeof(ErrorArguments)
    arguments.extensions = NULL
    arguments.message = message
    arguments.code = code
    return frame.api.create_error(&arguments)


cdef list arrays(const Buffers* buffers, int flags):
    """The buffers as arrays, which must not outlive the call."""
    cdef list found = []
    cdef const Buffer* buffer
    cdef cnp.dtype dtype
    cdef int64_t i
    for i in range(buffers.count):
        buffer = buffers.buffers[i]
        dtype = DTYPES[buffer.dtype]
        Py_INCREF(dtype)  # which the array takes over
        found.append(PyArray_NewFromDescr(
            <PyTypeObject*>np.ndarray, dtype, <int>buffer.rank, <const cnp.npy_intp*>buffer.shape,
            NULL, buffer.data, flags, NULL))
    return found
