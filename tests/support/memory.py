"""Looks for secrets in the memory of this very process (Linux)."""

import ctypes
import mmap
import os
from collections.abc import Iterator, Sequence

_CHUNK_BYTES = 1 << 20
_OBJECTS = 2


class _Allocator(ctypes.Structure):
    """PyMemAllocatorEx."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]


def keep_freed_memory() -> None:
    """Use no memory of a Python object again, from now on: what is not wiped stays to be seen."""
    allocator = _Allocator()
    ctypes.pythonapi.PyMem_GetAllocator(_OBJECTS, ctypes.byref(allocator))
    nothing = ctypes.cast(ctypes.CDLL(None).labs, ctypes.c_void_p)  # as good as any: it touches no memory
    allocator.free = nothing.value
    ctypes.pythonapi.PyMem_SetAllocator(_OBJECTS, ctypes.byref(allocator))


def count_secrets(secrets: Sequence[str]) -> list[int]:
    """Return how often each secret of 32 bytes stands in private memory that can be written: heap, stacks, data.

    Secrets are given in hex, and what is compared lies in shared memory: so that looking for one does not put it there.
    """
    found = [0] * len(secrets)
    with mmap.mmap(-1, _CHUNK_BYTES) as room, mmap.mmap(-1, 32 * len(secrets)) as needles:
        for place, secret in enumerate(secrets):
            for at in range(32):
                needles[32 * place + at] = int(secret[2 * at : 2 * at + 2], 16)
        with memoryview(room) as view, memoryview(needles) as wanted:
            for size in _chunks(view):
                for place in range(len(secrets)):
                    with wanted[32 * place : 32 * place + 32] as needle:
                        found[place] += _count(room, needle, size)
    return found


def _count(room: mmap.mmap, needle: memoryview, end: int) -> int:
    count, at = 0, room.find(needle, 0, end)
    while at >= 0:
        count, at = count + 1, room.find(needle, at + 1, end)
    return count


def _chunks(view: memoryview) -> Iterator[int]:
    """Fill *view* with one piece of memory after another, overlapping by a secret; yield their sizes."""
    memory = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        with open("/proc/self/maps") as maps:
            bounds = [line.split()[0] for line in maps if line.split()[1] == "rw-p"]
        for each in bounds:
            at, end = (int(bound, 16) for bound in each.split("-"))
            while at < end:
                with view[: min(_CHUNK_BYTES, end - at)] as piece:
                    yield os.preadv(memory, [piece], at)
                at += _CHUNK_BYTES - 32
    finally:
        os.close(memory)
