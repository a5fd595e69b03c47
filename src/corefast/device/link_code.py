"""The code that a first device shows and a new device reads: where to meet, and the secret that proves it.

corefast-link://host:port/#<relay's key>.<slot>.<secret>
"""

import base64
import binascii
import io
from typing import NamedTuple, NoReturn

from corefast.errors import LinkCodeInvalid, SetupError
from corefast.net.client import SCHEME, RelayUrl, format_relay_url, parse_relay_url

MAX_CODE_CHARACTERS = 512
SLOT_BYTES = 16
SECRET_BYTES = 32

_LINK_SCHEME = "corefast-link"


class LinkCode(NamedTuple):
    """*slot* (16 bytes) names a meeting at *relay*; *secret* (32 bytes) is never told there."""

    relay: RelayUrl
    slot: bytes
    secret: bytes

    @property
    def text(self) -> str:
        url = format_relay_url(*self.relay).removeprefix(SCHEME)
        return f"{_LINK_SCHEME}{url}.{_encode(self.slot)}.{_encode(self.secret)}"

    @classmethod
    def parse(cls, text: str) -> "LinkCode":
        """Return what *text* says; raise `LinkCodeInvalid`."""
        text = text.strip()
        if len(text) > MAX_CODE_CHARACTERS or not text.startswith(f"{_LINK_SCHEME}://"):
            raise LinkCodeInvalid(f"a code for linking begins with {_LINK_SCHEME}://; copy it whole")
        url, *words = (SCHEME + text.removeprefix(_LINK_SCHEME)).rsplit(".", 2)
        try:
            slot, secret = map(_decode, words)
            relay = parse_relay_url(url)
        except (binascii.Error, ValueError, SetupError):
            slot, secret, relay = b"", b"", RelayUrl("", 0, b"")
        if (len(slot), len(secret)) != (SLOT_BYTES, SECRET_BYTES):
            raise LinkCodeInvalid("the code for linking is damaged; copy it again, whole")
        return cls(relay, slot, secret)

    def __repr__(self) -> str:
        return "LinkCode(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a code for linking is not pickled")


def draw_qr(text: str) -> str:
    """Return *text* as a QR code of block characters, for a terminal."""
    import segno  # only who links a device pays

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
