"""The relay's moving parts as the router handles them."""

from libc.stdint cimport int64_t

cdef enum State:
    HELD = 1
    QUEUED = 2
    WRITING = 3
    STORED = 4
    GONE = 5

cdef enum Phase:
    AWAY = 1
    DRAINING = 2
    LIVE = 3


cdef class Account:
    cdef readonly str number
    cdef public int devices_version
    cdef public int shards
    cdef public list devices
    cdef bint could_take(self, object post)
    cdef list others(self, Device device)


cdef bint are_named_by(list devices, list parts)


cdef class Device:
    cdef readonly int64_t row
    cdef readonly object address
    cdef readonly Account account
    cdef public bint is_gone
    cdef list _boxes
    cpdef Mailbox box(self, int shard)
    cdef Mailbox box_for(self, str peer)


cdef class Mailbox:
    cdef readonly int64_t key
    cdef readonly Device owner
    cdef public int64_t items
    cdef public int64_t bytes
    cdef Phase phase
    cdef readonly Outlet outlet
    # While DRAINING: rows up to `cursor` were read; `page` holds those that were not forwarded yet; `tail` what came
    # meanwhile, complete unless `is_tail_cut`; `has_gap`: rows that are in neither may follow `cursor`.
    cdef int64_t cursor
    cdef object page
    cdef object tail
    cdef bint is_tail_cut
    cdef bint has_gap
    cdef bint is_reading
    cdef dict unacked
    cdef void open(self, Outlet outlet)
    cdef void shut(self)
    cdef void fall_behind(self, int64_t cursor)
    cdef void keep_in_tail(self, Item item)
    cdef Item find(self, bytes id, Device author)
    cdef bint has_room(self, Py_ssize_t size) noexcept


cdef class Post:
    cdef bytes id
    cdef Outlet sender
    cdef int waiting
    cdef int asked
    cdef bint is_stored
    cdef bint is_answered
    cdef list acked_by


cdef class Item:
    cdef readonly int64_t seq
    cdef int64_t mark
    cdef readonly Mailbox box
    cdef readonly Device sender
    cdef Post post
    cdef readonly bytes id
    cdef readonly int kind
    cdef readonly int64_t at_ms
    cdef int64_t expires_ms
    cdef readonly bytes body
    cdef State state
    cdef int64_t due_ms
    cdef tuple replaces
    cpdef tuple row(self)
    cdef tuple taken(self)


cdef class Outlet:
    cdef readonly Device device
    cdef readonly object owner
    cdef object _send
    cdef readonly list boxes
    cdef readonly bint is_open
    cdef public int unanswered
    cdef dict in_flight
    cdef int64_t in_flight_bytes
    cdef int64_t last_mark
    cdef int draining
    cdef bint has_told_drained
    cdef bint is_dirty
    cdef list results
    cdef list pending
    cdef bint has_window(self) noexcept
    cdef void forward(self, Item item)
    cdef Item settle(self, object mark)
    cdef void flush(self)
