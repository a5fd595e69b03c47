"""One connection as a state machine: bytes in, facts out. Knows no socket, no clock and no loop.

The stream of each direction: a version byte, one handshake message in a frame, then encrypted frames of records.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from corefast.link.outbox cimport Outbox
from corefast.link.window cimport MESSAGE_COST, Window
from corefast.native.bytes cimport load_u32
from corefast.native.memory cimport bytes_fill, bytes_from, bytes_room, bytes_size
from corefast.protocol.noise.cipher cimport CipherState
from corefast.wire.frame cimport (
    ANSWER,
    CALL,
    CLOSE,
    CREDIT,
    FAILURE,
    MAX_CIPHERTEXT,
    ONE_WAY,
    PING,
    PONG,
    TAG_SIZE,
    FrameReader,
    Record,
    RecordReader,
)

from corefast import limits
from corefast.errors import (
    CallTimeout,
    CorefastError,
    CreditExceeded,
    FrameMalformed,
    FrameTooLarge,
    LinkTimeout,
    Overloaded,
    PeerOutOfTurn,
    VersionUnsupported,
)
from corefast.link.events import Answered, Closed, Opened, Received
from corefast.link.state import Phase, Turn, next_phase
from corefast.wire import version
from corefast.wire.frame import frame
from corefast.wire.refusal import decode_refusal, encode_refusal

cdef int VERSION = Phase.VERSION
cdef int HANDSHAKE = Phase.HANDSHAKE
cdef int OPEN = Phase.OPEN
cdef int CLOSED = Phase.CLOSED

cdef bytes VERSION_BYTE = bytes((version.LINK_VERSION,))
cdef size_t MAX_MESSAGE = limits.MAX_MESSAGE_BYTES
cdef Py_ssize_t MAX_CALLS = limits.MAX_OPEN_CALLS
cdef int64_t NEVER = <int64_t> 1 << 62


cdef class Link:
    """Both sides are equals once it is open. After `Closed` nothing is read any more; bytes may still have to leave.

    `consume` is called when the events of `receive_data` were handled: it grants the peer room for as much again.
    """

    cdef readonly int phase
    cdef readonly bint is_open
    cdef readonly int64_t received_bytes
    cdef bint _is_initiator
    cdef object _handshake
    cdef object _encode
    cdef object _decode
    cdef CipherState _receiving
    # Out.
    cdef Outbox _outbox
    cdef size_t _max_outbox
    cdef bint _pong_queued
    # In: frames, and the message that is being joined (kind 0: none).
    cdef FrameReader _frames
    cdef Window _window
    cdef int64_t _unconsumed
    cdef uint8_t _joined_kind
    cdef uint32_t _joined_call
    cdef object _joined
    # Calls: ours with what to hand back and until when, theirs with what each holds of their window.
    cdef dict _our_calls
    cdef dict _their_calls
    cdef uint32_t _last_call
    cdef int64_t _next_deadline_ms
    # The clock.
    cdef int64_t _opened_ms
    cdef int64_t _received_ms
    cdef int64_t _pinged_ms

    def __init__(self, handshake not None, codec not None, int64_t now_ms, *,
                 int64_t window_bytes=limits.LINK_WINDOW_BYTES, size_t max_outbox_bytes=limits.MAX_LINK_OUTBOX_BYTES):
        """*window_bytes* holds at least two messages of the largest size, or the peer could wait for ever."""
        if window_bytes < 2 * <int64_t> MAX_MESSAGE:
            raise ValueError("a window holds at least two messages of the largest size")
        self._handshake = handshake
        self._is_initiator = handshake.is_initiator
        self._encode = codec.encode
        self._decode = codec.decode
        self._outbox = Outbox()
        self._max_outbox = max_outbox_bytes
        self._frames = FrameReader(limits.MAX_HANDSHAKE_BYTES)
        self._window = Window(window_bytes)
        self._our_calls = {}
        self._their_calls = {}
        self._next_deadline_ms = NEVER
        self._opened_ms = self._received_ms = self._pinged_ms = now_ms
        if self._is_initiator:
            self._outbox.put_clear(VERSION_BYTE + frame(handshake.first()))

    # ── sending ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def has_data(self):
        """True when `data_to_send` would return something."""
        return self._outbox.has_data()

    @property
    def outbox_bytes(self):
        """Bytes that wait, for credit or for `data_to_send`."""
        return self._outbox.size()

    @property
    def is_overflowing(self):
        """True when more waits than this link may queue: the shell then cuts it."""
        return self._outbox.size() > self._max_outbox

    @property
    def sent_bytes(self):
        return self._outbox.sent_bytes

    def notify(self, message):
        """Queue a one-way message."""
        self._send(ONE_WAY, 0, self._encode(message))

    def call(self, message, context=None, int64_t deadline_ms=NEVER):
        """Queue a call and return its number; *context* comes back in `Answered`, at *deadline_ms* at the latest.

        Raises `Overloaded` when too many calls are open.
        """
        cdef uint32_t call
        if len(self._our_calls) >= MAX_CALLS:
            raise Overloaded("too many calls are open on this link")
        payload = self._encode(message)
        call = self._free_call()
        self._send(CALL, call, payload)
        self._our_calls[call] = (context, deadline_ms)
        if deadline_ms < self._next_deadline_ms:
            self._next_deadline_ms = deadline_ms
        return call

    def has_call(self, uint32_t call):
        """Return whether the peer waits for an answer to *call*."""
        return call in self._their_calls

    def answer(self, uint32_t call, message):
        """Queue the answer to a call of the peer."""
        self._finish_call(ANSWER, call, self._encode(message))

    def fail(self, uint32_t call, error):
        """Queue the failure of a call of the peer: code, text and `retry_after_ms` of *error*."""
        self._finish_call(FAILURE, call, encode_refusal(error))

    def data_to_send(self):
        """Return the bytes that are due, in order, and forget them."""
        self._pong_queued = False
        return self._outbox.take()

    def close(self, error=None):
        """End the link; the peer is told the code of *error*. What waits for credit is dropped."""
        if self.phase == CLOSED:
            return
        if self._outbox.is_unlocked():
            self._outbox.put(CLOSE, 0, encode_refusal(error))
        self._move(Turn.ENDED)
        self._outbox.drop_waiting()

    def take_calls(self):
        """Return the contexts of the calls of ours that are open, and forget them."""
        calls = self._our_calls
        self._our_calls = {}
        return [context for context, _ in calls.values() if context is not None]

    cdef uint32_t _free_call(self):
        while True:
            self._last_call += 1
            if self._last_call and self._last_call not in self._our_calls:
                return self._last_call

    cdef int _finish_call(self, uint8_t kind, uint32_t call, bytes payload) except -1:
        if bytes_size(payload) > MAX_MESSAGE:
            raise ValueError("an answer is longer than a message may be")
        cost = self._their_calls.pop(call, None)
        if cost is None:
            raise ValueError("the peer does not wait for this answer")
        self._window.release(cost)
        self._outbox.put(kind, call, payload)
        self._grant()
        return 0

    cdef int _send(self, uint8_t kind, uint32_t call, bytes payload) except -1:
        """Queue a message that needs credit."""
        if bytes_size(payload) > MAX_MESSAGE:
            raise ValueError("a message is longer than a message may be")
        if self.phase != OPEN:
            raise PeerOutOfTurn("the link is not open")
        return self._outbox.send(kind, call, payload)

    # ── receiving ──────────────────────────────────────────────────────────────────────────────────────────────────

    def receive_data(self, bytes data not None, int64_t now_ms):
        """Take bytes from the peer; return what they mean. A breach of the protocol is a last event `Closed`."""
        cdef const uint8_t *start
        cdef size_t size
        cdef list events = []
        if self.phase == CLOSED:
            return events
        self._received_ms = now_ms
        self.received_bytes += bytes_size(data)
        try:
            if self.phase == VERSION:
                data = self._take_version(data)
            self._frames.feed(data)
            while self._frames.next(&start, &size):
                if self.phase == HANDSHAKE:
                    self._take_handshake(bytes_from(start, size), events)
                else:
                    self._take_frame(start, size, events)
                    if self.phase == CLOSED:
                        break
        except CorefastError as error:
            self._break(error, events)
        return events

    def consume(self):
        """Note that all one-way messages so far are handled."""
        if self._unconsumed:
            self._window.release(self._unconsumed)
            self._unconsumed = 0
            if self.is_open:
                self._grant()

    def tick(self, int64_t now_ms):
        """Let time pass: the handshake's deadline, keep-alive, calls without an answer."""
        cdef list events = []
        if self.phase == CLOSED:
            return events
        if self._outbox.broken is not None:
            self._break(self._outbox.broken, events)
        elif self.phase < OPEN:
            if now_ms - self._opened_ms >= limits.HANDSHAKE_TIMEOUT_MS:
                self._break(LinkTimeout("the handshake took too long"), events)
        elif now_ms - self._received_ms >= limits.KEEPALIVE_DEADLINE_MS:
            self._break(LinkTimeout("the peer is silent"), events)
        else:
            self._keep_alive(now_ms)
            if now_ms >= self._next_deadline_ms:
                self._expire_calls(now_ms, events)
        self._outbox.trim()
        self._frames.trim()
        return events

    cdef int _keep_alive(self, int64_t now_ms) except -1:
        if now_ms - max(self._received_ms, self._pinged_ms) >= <int64_t> limits.KEEPALIVE_INTERVAL_MS:
            self._pinged_ms = now_ms
            self._outbox.put(PING, 0, b"")
        return 0

    cdef int _expire_calls(self, int64_t now_ms, list events) except -1:
        """An expired call keeps its number until the answer comes, which nobody hears."""
        cdef int64_t deadline_ms
        self._next_deadline_ms = NEVER
        for call, (context, deadline_ms) in list(self._our_calls.items()):
            if deadline_ms <= now_ms:
                self._our_calls[call] = (None, NEVER)
                if context is not None:
                    events.append(Answered(context, CallTimeout("no answer in time")))
            elif deadline_ms < self._next_deadline_ms:
                self._next_deadline_ms = deadline_ms
        return 0

    cdef int _break(self, error, list events) except -1:
        self.close(error)
        events.append(Closed(error))
        return 0

    cdef int _move(self, turn) except -1:
        self.phase = next_phase(self.phase, turn)
        self.is_open = self.phase == OPEN
        return 0

    cdef int _grant(self) except -1:
        cdef int64_t grant = self._window.grant()
        if grant:
            self._outbox.put_u32(CREDIT, <uint32_t> grant)
        return 0

    cdef bytes _take_version(self, bytes data):
        """Compare the first byte; the responder shows its own also to a stranger, who can then say what is wrong."""
        if not data:
            return data
        if not self._is_initiator:
            self._outbox.put_clear(VERSION_BYTE)
        if data[:1] != VERSION_BYTE:
            raise VersionUnsupported("the other side speaks another version, or is no corefast")
        self._move(Turn.VERSION_AGREED)
        return data[1:]

    cdef int _take_handshake(self, bytes message, list events) except -1:
        reply, secured = self._handshake.receive(message)
        self._handshake = None
        self._outbox.unlock(secured.sending)
        self._receiving = secured.receiving
        self._frames.allow(MAX_CIPHERTEXT)
        opened = Opened(secured.their_static, secured.psk_index)
        if self._is_initiator:
            self._move(Turn.HANDSHAKE_FINISHED)
            events.append(opened)
        else:
            self._outbox.put_clear(frame(reply))
            self._move(Turn.HANDSHAKE_ANSWERED)
            self._handshake = opened
        self._outbox.put_u32(CREDIT, <uint32_t> self._window.size)
        return 0

    cdef int _take_frame(self, const uint8_t *start, size_t size, list events) except -1:
        cdef Record record
        cdef bytes plaintext
        cdef RecordReader records
        if size <= TAG_SIZE:
            raise FrameMalformed("a frame has no record")
        plaintext = bytes_room(size - TAG_SIZE)
        self._receiving.open_into(NULL, 0, start, size, bytes_fill(plaintext))
        if not self.is_open:
            self._move(Turn.FRAME_OPENED)
            events.append(self._handshake)
            self._handshake = None
        records = RecordReader(plaintext)
        while self.is_open and records.next(&record):
            if record.kind <= FAILURE:
                self._take_message(&record, events)
            else:
                self._take_control(&record, events)
        return 0

    cdef int _take_message(self, Record *record, list events) except -1:
        cdef bytes payload
        if self._joined_kind and (record.kind != self._joined_kind or record.call != self._joined_call):
            raise FrameMalformed("a fragmented message is interrupted")
        if record.kind <= CALL:
            self._window.take(record.size if record.more else MESSAGE_COST + record.size)
        if record.more or self._joined_kind:
            self._join(record)
            if record.more:
                return 0
            payload = bytes(self._joined)
            self._joined = None
            self._joined_kind = 0
        else:
            payload = bytes_from(record.payload, record.size)
        if record.kind <= CALL:
            self._take_request(record.kind, record.call, payload, events)
        else:
            self._take_result(record.kind, record.call, payload, events)
        return 0

    cdef int _join(self, Record *record) except -1:
        if not record.size or record.kind == FAILURE:
            raise FrameMalformed("a fragment is empty, or of a kind that has none")
        if not self._joined_kind:
            self._joined_kind = record.kind
            self._joined_call = record.call
            self._joined = bytearray()
        if len(self._joined) + record.size > MAX_MESSAGE:
            raise FrameTooLarge("a message is longer than a message may be")
        self._joined += record.payload[:record.size]
        return 0

    cdef int _take_request(self, uint8_t kind, uint32_t call, bytes payload, list events) except -1:
        cdef int64_t cost = MESSAGE_COST + bytes_size(payload)
        if (kind == CALL) != (call != 0):
            raise FrameMalformed("a call has a number and nothing else has")
        if kind == ONE_WAY:
            self._unconsumed += cost
        else:
            if call in self._their_calls:
                raise PeerOutOfTurn("a call's number is in use")
            if len(self._their_calls) >= MAX_CALLS:
                raise CreditExceeded("the peer opened too many calls")
            self._their_calls[call] = cost
        events.append(Received(self._decode(payload), call))
        return 0

    cdef int _take_result(self, uint8_t kind, uint32_t call, bytes payload, list events) except -1:
        entry = self._our_calls.pop(call, None)
        if entry is None:
            raise PeerOutOfTurn("an answer came to a call that is not open")
        result = self._decode(payload) if kind == ANSWER else decode_refusal(payload)
        if result is None:
            raise FrameMalformed("a failure has no code")
        if entry[0] is not None:
            events.append(Answered(entry[0], result))
        return 0

    cdef int _take_control(self, Record *record, list events) except -1:
        if record.more or record.call or (record.size != (4 if record.kind == CREDIT else 0) and record.kind != CLOSE):
            raise FrameMalformed("a control record has the wrong form")
        if record.kind == CREDIT:
            self._outbox.add_credit(load_u32(record.payload))
        elif record.kind == PING and not self._pong_queued:
            self._pong_queued = True
            self._outbox.put(PONG, 0, b"")
        elif record.kind == CLOSE:
            error = decode_refusal(bytes_from(record.payload, record.size))
            self._move(Turn.ENDED)
            events.append(Closed(error))
        return 0
