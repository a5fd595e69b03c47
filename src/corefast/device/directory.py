"""The peers that this device knows, with their sessions, as they are in memory between two commits."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from corefast.device.handover import HandedPeer
from corefast.device.store.peers import PeerStore
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.trust import Trust, check_identity
from corefast.limits import MAX_HANDED_PEERS
from corefast.store.database import Unit

MAX_CACHED_PEERS = 1_000
"""Peers kept in memory, a few KiB each; the others are read again when they are needed."""


FIRST_VERSION = 1
"""The relay's version of a list of devices that never changed: our guess for a peer who wrote first."""


class KnownPeer:
    """A peer, its identity key and the sessions with its devices."""

    __slots__ = ("number", "identity", "is_accepted", "devices_version", "devices", "touched", "is_news")

    def __init__(self, number: str) -> None:
        self.number = number
        self.identity: bytes | None = None
        self.is_accepted = True
        """False from a change of the identity on until the user has accepted the new one."""
        self.devices_version = 0
        self.devices: dict[int, Correspondent] = {}
        self.touched: set[int] = set()
        """Devices whose sessions differ from what is stored."""
        self.is_news = False
        """Identity or list of devices differ from what is stored."""

    def reachable_devices(self) -> list[int]:
        """Return the devices with a session."""
        return [device for device, correspondent in self.devices.items() if correspondent.has_session]

    def use(self, device: int) -> Correspondent:
        """Return the correspondent for a device, whose session the caller is about to change."""
        self.touched.add(device)
        return self.devices.setdefault(device, Correspondent.new())

    def put(self, device: int, correspondent: Correspondent) -> None:
        """Set all sessions with a device."""
        self.touched.add(device)
        self.devices[device] = correspondent

    def see_identity(self, identity: bytes) -> Trust:
        """Take *identity* as the peer's; sessions with another one are forgotten, and the devices asked for again."""
        trust = check_identity(self.identity, identity)
        if trust is not Trust.SAME:
            self.identity = identity
            self.is_news = True
        if trust is Trust.CHANGED:
            self.is_accepted = False
            self.devices_version = 0
            for device, correspondent in list(self.devices.items()):
                if correspondent.their_identity != identity:
                    self.put(device, Correspondent.new())
        return trust

    def accept_identity(self) -> None:
        """Take the user's word for the identity that the peer has."""
        if not self.is_accepted:
            self.is_accepted = self.is_news = True

    def set_devices(self, version: int) -> None:
        """Take the relay's word that *version* of the list of devices is the one in `devices`."""
        if self.devices_version != version:
            self.devices_version = version
            self.is_news = True


class Directory:
    """Loads peers and writes what changed in them; `turn` is held from a change to the end of its commit."""

    def __init__(self, store: PeerStore, max_cached: int = MAX_CACHED_PEERS) -> None:
        self._store = store
        self._max_cached = max_cached
        self._peers: OrderedDict[str, KnownPeer] = OrderedDict()
        self.turn = asyncio.Lock()

    async def load(self, number: str) -> KnownPeer:
        """Return the peer, an empty one for a stranger; call it with the turn and use it before the turn ends."""
        peer = self._peers.get(number)
        if peer is None:
            self._peers[number] = peer = await self._read(number)
        self._peers.move_to_end(number)
        return peer

    async def known_identities(self) -> list[HandedPeer]:
        """Return peers with their identity keys, as many as a new device takes."""
        return [HandedPeer(*each) for each in await self._store.identities(MAX_HANDED_PEERS)]

    def put_identities(self, unit: Unit, peers: Sequence[HandedPeer]) -> None:
        """Take over what another device of ours knows."""
        for peer in peers:
            self._store.save_peer(unit, peer.number, 0, peer.identity, is_accepted=peer.is_accepted)

    def save(self, unit: Unit, peer: KnownPeer) -> None:
        """Add to *unit* what changed in *peer*."""
        if peer.is_news and peer.identity is not None:
            self._store.save_peer(unit, peer.number, peer.devices_version, peer.identity, is_accepted=peer.is_accepted)
            peer.is_news = False
        for device in peer.touched:
            self._store.save_session(unit, peer.number, device, peer.devices[device])
        peer.touched.clear()

    def delete_session(self, unit: Unit, peer: KnownPeer, device: int) -> None:
        """Drop a device that the peer no longer has."""
        peer.devices.pop(device, None)
        peer.touched.discard(device)
        self._store.delete_session(unit, peer.number, device)

    def drop_sessions(self, unit: Unit) -> None:
        """Let *unit* end all sessions; forget what is in memory then."""
        self._store.drop_sessions(unit)

    def forget(self) -> None:
        """Drop all that is in memory: a commit failed, and the store is right."""
        self._peers.clear()

    def trim(self) -> None:
        """Keep the cache in its bound; call it with the turn, after a commit."""
        while len(self._peers) > self._max_cached:
            self._peers.popitem(last=False)

    async def _read(self, number: str) -> KnownPeer:
        peer = KnownPeer(number)
        row = await self._store.load(number)
        if row is not None:
            peer.identity, peer.is_accepted = row.identity, row.is_accepted
            peer.devices_version = row.devices_version
            peer.devices = row.devices
        return peer
