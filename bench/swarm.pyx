"""Phones by the thousand in one process: real keys, sessions and links, no store and no screen.

A phone acks every item, notes when each numbered message came, and answers its first one with a read receipt, as a
reader's phone would: from then on the core's messages to it carry no session start.
"""

from array import array
from os import urandom
from time import time

from libc.stdint cimport int64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from corefast.protocol.keys import KemKeyPair, KeyPair
from corefast.protocol.message import PreKeySignalMessage
from corefast.protocol.start import accept
from corefast.wire.content import Content, Read, decode_content, encode_content
from corefast.wire.messages import Ack, Deliver, Evicted, Part, Post, PostBatch, PostResults, PreKeyUpload, PublicPreKey, Register, SignedPreKey

cdef int WHISPER = 2
cdef int PREKEY = 3
cdef int SERIAL_DIGITS = 10


cdef int64_t now_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t> now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef class Log:
    """When each numbered message came, and what went wrong."""

    cdef readonly object arrivals
    cdef int64_t[::1] _arrivals
    cdef readonly int64_t received, repeated, unknown, answered
    cdef readonly dict errors

    def __init__(self, int64_t room):
        self.arrivals = array("q", bytes(8 * room))
        self._arrivals = self.arrivals
        self.errors = {}

    cdef void note(self, int64_t serial) noexcept:
        if serial < 0 or serial >= self._arrivals.shape[0]:
            self.unknown += 1
        elif self._arrivals[serial]:
            self.repeated += 1
        else:
            self._arrivals[serial] = now_ns()
            self.received += 1

    def fail(self, error):
        """Count *error* by its name."""
        name = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        self.errors[name] = self.errors.get(name, 0) + 1


cdef class Phone:
    """One phone; the handler of its own link."""

    cdef readonly str number
    cdef readonly bytes link_private
    cdef object _identity, _signed, _kem, _one_time, _session
    cdef Log _log
    cdef public str business
    cdef public int devices_version

    def __init__(self, str number, object kem, Log log):
        """*kem* may be shared by all phones: making one takes longer than everything else here."""
        self.number = number
        self.link_private = urandom(32)
        self._identity = KeyPair.generate(urandom)
        self._signed = KeyPair.generate(urandom)
        self._one_time = KeyPair.generate(urandom)
        self._kem = kem
        self._log = log

    def registration(self):
        """Return the claim of this phone's number, with one one-time prekey."""
        return Register(self.number, self._identity.public, 1, PreKeyUpload(
            signed=self._sign(self._signed.public),
            last_resort=self._sign(self._kem.public),
            one_time=[PublicPreKey(1, self._one_time.public)],
        ))

    def _sign(self, public):
        return SignedPreKey(1, public, self._identity.sign(public, urandom))

    def received(self, peer, message, call):
        kind = type(message)
        if kind is Deliver:
            seqs = []
            for item in message.items:
                try:
                    self._take(peer, item)
                except Exception as error:
                    self._log.fail(error)
                seqs.append(item.seq)
            peer.notify(Ack(seqs))
        elif kind is PostResults:
            for result in message.results:
                if result.state > 2:
                    self._log.fail(f"post refused with {result.state}")
        elif kind is Evicted:
            self._log.fail(message.code)

    def lost(self, peer, error):
        if error is not None:
            self._log.fail(error)

    cdef int _take(self, object peer, object item) except -1:
        cdef int kind = item.kind
        if kind == WHISPER:
            plaintext = self._session.decrypt(item.body, urandom)
        elif kind == PREKEY:
            plaintext = self._open_first(item.body)
        else:
            return 0
        content = decode_content(plaintext)
        self._log.note(int(content.body.body[:SERIAL_DIGITS]))
        if kind == PREKEY:
            self._answer(peer, content.id)
        return 0

    cdef object _open_first(self, bytes body):
        message = PreKeySignalMessage.parse(body)
        if self._session is not None and self._session.base_key == message.base_key:
            return self._session.decrypt(message.message, urandom)
        one_time = None if message.one_time_id is None else self._one_time
        self._session, plaintext = accept(self._identity, message, self._signed, self._kem, one_time, urandom)
        return plaintext

    cdef int _answer(self, object peer, bytes id) except -1:
        content = Content(urandom(16), <int64_t> (time() * 1000), Read([id]))
        kind, body = self._session.encrypt(encode_content(content), urandom)
        post = Post(content.id, self.business, self.devices_version, [Part(1, kind, body)])
        peer.notify(PostBatch(0, [post]))
        self._log.answered += 1
        return 0


def make_phones(int count, Log log):
    """Return *count* phones with the numbers +999 1 000 0000 and on."""
    kem = KemKeyPair.generate()
    return [Phone(number_of(index), kem, log) for index in range(count)]


def number_of(int index):
    return f"9991{index:07}"
