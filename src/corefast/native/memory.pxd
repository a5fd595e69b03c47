"""Bytes objects made and filled without a second copy, and memory that is wiped for certain."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t


cdef extern from "<string.h>" nogil:
    void explicit_bzero(void *memory, size_t size)


cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(object value)


cdef inline const uint8_t *bytes_at(bytes value) noexcept:
    """The bytes of *value*, valid as long as it is alive."""
    return <const uint8_t *> PyBytes_AS_STRING(value)


cdef inline size_t bytes_size(bytes value) noexcept:
    return <size_t> PyBytes_GET_SIZE(value)


cdef inline bytes bytes_from(const uint8_t *src, size_t size):
    return PyBytes_FromStringAndSize(<const char *> src, <Py_ssize_t> size)


cdef inline bytes bytes_room(size_t size):
    """A bytes object to be filled through `bytes_at` before anyone else sees it."""
    return PyBytes_FromStringAndSize(NULL, <Py_ssize_t> size)


cdef inline uint8_t *bytes_fill(bytes room) noexcept:
    """Where a fresh `bytes_room` is written."""
    return <uint8_t *> PyBytes_AS_STRING(room)


cdef inline bint wipe_bytes(bytes secret, Py_ssize_t holders) noexcept:
    """Overwrite *secret* where at most so many hold it: one variable here, and one more for each on the way.

    Those of one byte or none are left alone: the interpreter shares them.
    """
    if Py_REFCNT(secret) > holders or PyBytes_GET_SIZE(secret) < 2:
        return False
    explicit_bzero(PyBytes_AS_STRING(secret), <size_t> PyBytes_GET_SIZE(secret))
    return True
