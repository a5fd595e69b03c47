"""The core's second connection to the relay, for files alone: a large one delays no message."""

from typing import Any

from corefast.errors import AccountStopped, RemoteRefused
from corefast.link.secure import initiator_ik
from corefast.net.client import parse_relay_url
from corefast.net.reconnect import Reconnecting
from corefast.net.transport import Peer
from corefast.wire.codec import relay_codec

WAIT_MS = 5_000
_UNREGISTERED = "link.not_attached"


class MediaLink:
    """Opened when it is needed first, and kept from then on."""

    def __init__(self, relay: str, link_key: bytes) -> None:
        url = parse_relay_url(relay)
        self._link = Reconnecting(url.host, url.port, initiator_ik(link_key, url.key), relay_codec, self)

    async def peer(self) -> Peer:
        """Return the open connection; raise `LinkLost` where there is none soon."""
        self._link.start()
        return await self._link.peer(WAIT_MS)

    async def close(self) -> None:
        await self._link.close()

    def received(self, peer: Peer, message: Any, call: int) -> None:
        """A relay asks nothing on this connection."""
        peer.close()

    def lost(self, peer: Peer, error: Exception | None) -> None:
        pass


def explain(error: RemoteRefused) -> Exception:
    """Return a relay's refusal as our caller should hear it."""
    if error.code == _UNREGISTERED:
        return AccountStopped("the relay does not know this account yet", retry_after_ms=5_000)
    return error
