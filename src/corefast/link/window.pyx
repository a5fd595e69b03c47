"""Flow control in bytes: what the other side may send (`Window`) and what we may (`Credit`).

A message costs its bytes and `MESSAGE_COST`. Answers and failures are exempt: the calls that they end bound them.
"""

from libc.stdint cimport int64_t

from corefast.errors import CreditExceeded, FrameMalformed

cdef enum:
    MAX_CREDIT = 1 << 30    # beyond any window: a peer that grants more is broken


cdef class Window:
    """What the other side may send before we have consumed it."""

    def __cinit__(self, int64_t size):
        self.size = self.left = size

    cdef int take(self, int64_t cost) except -1:
        """Charge what has come; raise `CreditExceeded` where it was not granted."""
        if cost > self.left:
            raise CreditExceeded("the peer sent more than it was granted")
        self.left -= cost
        return 0

    cdef void release(self, int64_t cost) noexcept:
        """Note that so much is consumed."""
        self._consumed += cost

    cdef int64_t grant(self) noexcept:
        """Return what to grant now: 0 until a quarter of the window is consumed, so that grants stay rare."""
        cdef int64_t granted = self._consumed
        if granted * 4 < self.size:
            return 0
        self._consumed = 0
        self.left += granted
        return granted


cdef class Credit:
    """What we may still send. Nothing until the other side has granted its window."""

    cdef bint spend(self, int64_t cost) noexcept:
        """Return whether *cost* was covered, and spent."""
        if cost > self.left:
            return False
        self.left -= cost
        return True

    cdef int add(self, int64_t grant) except -1:
        if grant <= 0 or self.left + grant > MAX_CREDIT:
            raise FrameMalformed("a grant is out of range")
        self.left += grant
        return 0
