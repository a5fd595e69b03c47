"""An HTTP client for one request: keep-alive connections over epoll, no loop and no parser beside it.

Closed loop: each connection posts again as soon as it is answered. Open loop: posts leave on a timetable, and latency
counts from the time they were due, so that a stalled server cannot hide its queue.
"""

import socket
from array import array

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport strtol
from libc.string cimport memmove
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

cdef extern from "string.h" nogil:
    void *memmem(const void *hay, size_t hay_size, const void *needle, size_t size)
    int strncasecmp(const char *a, const char *b, size_t size)

cdef extern from "sys/socket.h" nogil:
    int MSG_DONTWAIT
    int MSG_NOSIGNAL
    ssize_t send(int fd, const void *data, size_t size, int flags)
    ssize_t recv(int fd, void *data, size_t size, int flags)

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        uint32_t u32
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int EPOLLIN
    int EPOLL_CTL_ADD
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event *event)
    int epoll_pwait2(int epoll, epoll_event *events, int count, const timespec *timeout, const void *signals)

cdef extern from "unistd.h" nogil:
    int close(int fd)

cdef enum:
    ROOM = 8192
    MAX_CONNECTIONS = 1024
    SERIAL_DIGITS = 10
    IDLE_NS = 1000000

cdef struct Line:
    int fd
    bint is_busy
    int64_t serial
    size_t size
    char data[ROOM]


cdef int64_t now_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t> now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef class Load:
    """Posts numbered messages, round-robin over the phones.

    *requests* holds one complete HTTP request a phone, all with the serial's ten digits at the offsets *marks*. Times
    are monotonic nanoseconds by serial: `due` (when it was, or should have been, sent) and `accepted` (201 came).
    """

    cdef list _sockets, _requests, _marks
    cdef readonly object due, accepted
    cdef int64_t[::1] _due, _accepted
    cdef Line _lines[MAX_CONNECTIONS]
    cdef int _count, _epoll
    cdef readonly int64_t sent, refused
    cdef int64_t _answered
    cdef readonly str last_refusal

    def __init__(self, str host, int port, list requests, list marks, int connections, int64_t room):
        if not 0 < connections <= MAX_CONNECTIONS:
            raise ValueError(f"1 to {MAX_CONNECTIONS} connections")
        self._requests = [bytearray(request) for request in requests]
        self._marks = marks
        self.due, self.accepted = array("q", bytes(8 * room)), array("q", bytes(8 * room))
        self._due, self._accepted = self.due, self.accepted
        self._count = connections
        self.last_refusal = ""
        self._open(host, port)

    def _open(self, host, port):
        cdef epoll_event event
        cdef int index
        self._epoll = epoll_create1(0)
        self._sockets = []
        for index in range(self._count):
            each = socket.create_connection((host, port))
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(each)
            self._lines[index].fd = each.fileno()
            event.events = EPOLLIN
            event.data.u32 = index
            epoll_ctl(self._epoll, EPOLL_CTL_ADD, self._lines[index].fd, &event)

    def __dealloc__(self):
        close(self._epoll)

    def run(self, double seconds, double rate=0.0, int64_t limit=-1):
        """Post for *seconds*, at *rate* a second (0: closed loop), at most *limit*; return when all are answered."""
        cdef int64_t start = now_ns()
        cdef int64_t end = start + <int64_t> (seconds * 1e9)
        cdef int64_t gap = <int64_t> (1e9 / rate) if rate > 0 else 0
        cdef int64_t due = start
        cdef int64_t last = self.sent + limit if limit >= 0 else self._due.shape[0]
        cdef int64_t grace = end + 30_000_000_000
        cdef int turn = 0
        while True:
            now = now_ns()
            if now >= end or self.sent >= min(last, self._due.shape[0]):
                if self._answered >= self.sent:
                    return
                if now > grace:
                    raise TimeoutError(f"{self.sent - self._answered} posts were not answered within 30 s")
            else:
                for _ in range(self._count):
                    turn = (turn + 1) % self._count
                    if self.sent >= min(last, self._due.shape[0]) or gap and due > now:
                        break
                    if not self._lines[turn].is_busy:
                        self._post(&self._lines[turn], due if gap else now_ns())
                        due += gap
            self._wait(min(max(due - now_ns(), 0), IDLE_NS) if gap else IDLE_NS)

    cdef int _post(self, Line *line, int64_t due) except -1:
        cdef int64_t serial = self.sent, digits = serial
        cdef int phone = <int> (serial % len(self._requests))
        cdef unsigned char[::1] request = self._requests[phone]
        cdef Py_ssize_t at = <Py_ssize_t> self._marks[phone] + SERIAL_DIGITS - 1
        for _ in range(SERIAL_DIGITS):
            request[at] = <unsigned char> (48 + digits % 10)
            digits //= 10
            at -= 1
        self._due[serial] = due
        line.serial = serial
        line.is_busy = True
        self.sent += 1
        if send(line.fd, &request[0], <size_t> request.shape[0], MSG_NOSIGNAL) != request.shape[0]:
            raise ConnectionError("the server takes no more")
        return 0

    cdef int _wait(self, int64_t timeout_ns) except -1:
        cdef epoll_event events[256]
        cdef int count, index
        cdef timespec timeout
        timeout.tv_sec = 0
        timeout.tv_nsec = timeout_ns
        with nogil:
            count = epoll_pwait2(self._epoll, events, 256, &timeout, NULL)
        for index in range(count):
            self._read(&self._lines[events[index].data.u32])
        return 0

    cdef int _read(self, Line *line) except -1:
        cdef ssize_t got = recv(line.fd, line.data + line.size, ROOM - line.size, MSG_DONTWAIT)
        cdef size_t whole
        if got <= 0:
            raise ConnectionError("the server hung up")
        line.size += <size_t> got
        whole = answer_size(line)
        if whole == 0 or line.size < whole:
            return 0
        self._answered += 1
        if line.data[9] == c"2" and line.data[10] == c"0" and line.data[11] == c"1":
            self._accepted[line.serial] = now_ns()
        else:
            self.refused += 1
            self.last_refusal = line.data[:whole].decode("utf-8", "replace")
        memmove(line.data, line.data + whole, line.size - whole)
        line.size -= whole
        line.is_busy = False
        return 0


cdef size_t answer_size(Line *line) noexcept:
    """Return the bytes of the whole answer, 0 while its head is not there."""
    cdef const char *end = <const char *> memmem(line.data, line.size, b"\r\n\r\n", 4)
    cdef const char *at = line.data
    if end == NULL:
        return 0
    while at < end:
        if strncasecmp(at, b"content-length:", 15) == 0:
            return <size_t> (end - line.data) + 4 + <size_t> strtol(at + 15, NULL, 10)
        at = <const char *> memmem(at, <size_t> (end - at) + 2, b"\r\n", 2) + 2
    return <size_t> (end - line.data) + 4
