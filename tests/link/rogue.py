"""A peer that knows the keys and keeps no rule: it seals any records it likes."""

import os
from typing import Any

from corefast.link.link import Link
from corefast.link.secure import initiator_psk, responder_psk
from corefast.wire.frame import FrameReader, FrameWriter, RecordReader, frame

from .pair import codec

SECRET = bytes(range(32))
Row = tuple[int, int, bytes]


class Rogue:
    """The initiator of an open link, by hand."""

    def __init__(self, sending: Any, receiving: Any) -> None:
        self._sending = sending
        self._receiving = receiving

    @staticmethod
    def opened(**options: Any) -> tuple["Rogue", Link]:
        link = Link(responder_psk([SECRET])(os.urandom), codec, 0, **options)
        handshake = initiator_psk(SECRET)(os.urandom)
        link.receive_data(b"\x01" + frame(handshake.first()), 0)
        data = b"".join(link.data_to_send())
        answer, first = FrameReader(65_535).receive_data(data[1:])
        _, secured = handshake.receive(answer)
        rogue = Rogue(secured.sending, secured.receiving)
        assert [row[0] for row in rogue.open(first)] == [5]
        rogue.say(link, (5, 0, (1 << 20).to_bytes(4, "big")))
        assert link.is_open
        return rogue, link

    def open(self, ciphertext: bytes) -> list[tuple[int, bool, int, bytes]]:
        return list(RecordReader(self._receiving.decrypt_with_ad(b"", ciphertext)))

    def seal(self, plaintext: bytes) -> bytes:
        return frame(self._sending.encrypt_with_ad(b"", plaintext))

    def say(self, link: Link, *rows: Row, now_ms: int = 0) -> list[Any]:
        """Send *rows* of (kind with its MORE bit, call, payload) in one frame; return what the link makes of it."""
        writer = FrameWriter()
        for row in rows:
            writer.add(*row)
        return link.receive_data(self.seal(writer.take()), now_ms)

    def hear(self, link: Link) -> list[tuple[int, bool, int, bytes]]:
        """Return the records that the link has to say."""
        stream = b"".join(link.data_to_send())
        return [row for body in FrameReader(65_535).receive_data(stream) for row in self.open(body)]
