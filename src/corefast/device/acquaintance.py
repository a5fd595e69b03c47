"""By what our user knows others: safety numbers, and identity keys that were compared."""

import asyncio

from corefast.address import canonical_number
from corefast.device.directory import KnownPeer
from corefast.device.event import Safety
from corefast.device.profile import Profile
from corefast.endpoint.trust import identity_hash, safety_number
from corefast.errors import PeerUnknown
from corefast.store.database import Unit


class Acquaintance:
    """What the user compares and accepts; numbers are as people write them."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    async def safety(self, number: str) -> Safety:
        """Raise `NumberInvalid`, `PeerUnknown`."""
        async with self._profile.directory.turn:
            peer, their_identity = await self._known(number)
        ours = self._profile.own.identity.public
        digits = await asyncio.to_thread(safety_number, self._profile.account.number, ours, peer.number, their_identity)
        return Safety(peer.number, digits, identity_hash(their_identity), peer.is_accepted)

    async def accept(self, number: str) -> None:
        """Take the user's word for the identity key that *number* has; raise `NumberInvalid`, `PeerUnknown`."""
        unit = Unit()
        async with self._profile.turn():
            peer, _ = await self._known(number)
            peer.accept_identity()
            self._profile.directory.save(unit, peer)
            await self._profile.database.commit(unit)

    async def _known(self, number: str) -> tuple[KnownPeer, bytes]:
        peer = await self._profile.directory.load(canonical_number(number))
        if peer.identity is None:
            raise PeerUnknown("no message came from or went to this number yet")
        return peer, peer.identity
