"""How a message id is written outside: 22 characters of base64url for its 16 bytes.

The same characters end the ids of the REST API, behind their `gBGG` or `ABGG`.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from corefast.errors import ParameterInvalid

ID_BYTES = 16
_ID_CHARACTERS = 22


def encode_id(message_id: bytes) -> str:
    return urlsafe_b64encode(message_id).rstrip(b"=").decode()


def decode_id(text: str) -> bytes:
    """Return the 16 bytes; raise `ParameterInvalid`."""
    try:
        message_id = urlsafe_b64decode(text + "==")
    except ValueError:
        message_id = b""
    if len(text) != _ID_CHARACTERS or len(message_id) != ID_BYTES or encode_id(message_id) != text:
        raise ParameterInvalid("a message id is 22 characters of base64url")
    return message_id
