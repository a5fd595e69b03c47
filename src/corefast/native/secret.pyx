"""Bytes objects that held a secret, overwritten."""

from corefast.native.memory cimport wipe_bytes

cdef enum:
    # The variable, attribute or tuple that the caller reads it from, and the call (CPython up to 3.13).
    HOLDERS = 2


def wipe(bytes secret not None, /):
    """Overwrite *secret* in place; return whether that was done: not while anybody but the caller holds it.

    Only for an object that we made and that is never read again, since all else in Python takes bytes for constant.
    One that others hold (a literal, what a test keeps) is left alone, and so are those of one byte or none, which the
    interpreter shares. Give it a variable, an attribute or `list.pop()`; the variable of a loop is a second holder.
    """
    return wipe_bytes(secret, HOLDERS)
