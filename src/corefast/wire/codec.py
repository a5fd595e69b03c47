"""One codec for each protocol: struct to msgpack and back, with one typed error."""

from typing import Any

import msgspec

from corefast.errors import MessageUndecodable
from corefast.wire import gateway, messages


class Codec:
    """Encodes and decodes the messages of one protocol; safe against any bytes."""

    def __init__(self, message_type: Any) -> None:
        self.encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(message_type).decode

    def decode(self, data: bytes | memoryview) -> Any:
        """Return the message in *data*; raise `MessageUndecodable` for anything else."""
        try:
            return self._decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError):  # ValueError: a text that is no UTF-8
            raise MessageUndecodable("a record is no message of this protocol") from None


relay_codec = Codec(messages.Message)
gateway_codec = Codec(gateway.Message)
