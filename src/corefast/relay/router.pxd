"""The router's state; its verbs are called from Python."""

from libc.stdint cimport int64_t

from corefast.relay.ledger cimport Ledger
from corefast.relay.mailbox cimport Account, Device, Item, Mailbox, Outlet, Post


cdef class Router:
    cdef readonly dict accounts
    cdef readonly dict devices
    cdef object _store
    cdef Ledger _ledger
    cdef object _clock
    cdef object _wake
    cdef object _journal
    cdef bint _is_awake
    cdef int64_t _next_seq
    cdef object _held
    cdef list _dirty
    cdef list _states
    cdef readonly int64_t acked
    cdef readonly int64_t direct
    cdef int _post(self, Outlet sender, object wire, int64_t now_ms) except -1
    cdef int _accept(self, Outlet sender, list devices, object wire, int64_t now_ms) except -1
    cdef int _repeat(self, Post post, Outlet sender) except -1
    cdef int _take(self, Item item, int64_t now_ms) except -1
    cdef int _queue(self, Item item) except -1
    cdef int _settle(self, Item item, int64_t now_ms) except -1
    cdef int _resolve(self, Item item, bint is_stored, int64_t now_ms) except -1
    cdef int _report_acked(self, Post post, int64_t now_ms) except -1
    cdef int _report(self, int kind, Mailbox box, tuple row, bytes id, Device author, Post post,
                     int64_t now_ms) except -1
    cdef int _answer(self, Outlet sender, bytes id, int state, int64_t now_ms) except -1
    cdef int _remove(self, tuple row) except -1
    cdef int _unwritten(self, Item item, int64_t now_ms) except -1
    cdef int _pump(self, Mailbox box) except -1
    cdef int _read(self, Mailbox box) except -1
    cdef int _rouse(self) except -1
    cdef int _touch(self, Outlet outlet) except -1
