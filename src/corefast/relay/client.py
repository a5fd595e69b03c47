"""One connection: which device it proved to be, and what it holds."""

from corefast.errors import CorefastError
from corefast.net.transport import Peer
from corefast.relay.mailbox import Device, Outlet
from corefast.relay.router import Router
from corefast.wire.messages import Evicted


class Client:
    """What the relay knows about a connection; it begins as nobody.

    *tokened* is what it holds by token, as `attachment` names it: its posts move the commit numbers.
    """

    __slots__ = ("_router", "device", "is_core", "outlet", "peer", "tokened")

    def __init__(self, peer: Peer, router: Router) -> None:
        self.peer = peer
        self._router = router
        self.device: Device | None = None
        self.outlet: Outlet | None = None
        self.is_core = False
        self.tokened: list[int] = []

    @property
    def link_key(self) -> bytes:
        key = self.peer.their_static
        assert key is not None
        return key

    def open(self, device: Device, shards: list[int], *, tokened: list[int], is_core: bool) -> None:
        """Hold the device's mailboxes of *shards* from now on, and only these."""
        last_mark = self.outlet.mark if self.outlet is not None else 0
        self.leave()
        self.device = device
        self.tokened, self.is_core = tokened, is_core
        self.outlet = Outlet(device, self.peer.notify, self, last_mark)
        self._router.attach(self.outlet, shards)

    def leave(self) -> None:
        """Let go of the mailboxes; what was not acked is for the next holder."""
        outlet, self.outlet = self.outlet, None
        if outlet is not None:
            self._router.detach(outlet)

    def evict(self, code: str) -> None:
        """Tell the client that its place is taken, let go of its mailboxes, and hang up."""
        self.leave()
        self.device = None
        self.peer.notify(Evicted(code))
        self.peer.close()

    def cut(self, error: CorefastError) -> None:
        """Hang up: what it needs cannot be had."""
        self.leave()
        self.peer.close(error)
