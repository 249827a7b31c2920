# For loops of your own, compiled with Cython and passed to fastloss.custom: the type of a tile
# function, and how it is handed over. See docs/custom.md.

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t

include "tiles.pxi"


cdef inline object tile_function(elementwise_function function):
    """Return a tile function as Python holds it."""
    return PyCapsule_New(<void*>function, "fastloss.elementwise_function", NULL)
