"""The relay's stock of our public prekeys: filled up and rotated, private halves committed first."""

import asyncio

from corefast.core.context import Context
from corefast.endpoint.stock import StockChange
from corefast.limits import KEM_PREKEY_STOCK, PREKEY_STOCK
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.messages import PutPreKeys


class Stock:
    """Uploads prekeys when the relay runs low or ours grow old."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = asyncio.Lock()

    async def prepare(self, one_time_left: int = 0, one_time_kem_left: int = 0) -> StockChange | None:
        """Make and commit what is missing, for the caller to upload; None when nothing is."""
        context = self._context
        change = context.own.make_upload(
            context.random, context.clock(), one_time_left=one_time_left, one_time_kem_left=one_time_kem_left
        )
        if change is not None:
            unit = Unit()
            context.keys.put_change(unit, change)
            await context.database.commit(unit)
        return change

    async def fill(self, peer: Peer, one_time_left: int, one_time_kem_left: int) -> None:
        """Bring the relay's stock up from what it says is left."""
        async with self._lock:
            change = await self.prepare(one_time_left, one_time_kem_left)
            if change is not None:
                await peer.call(PutPreKeys(change.upload))

    async def rotate(self, peer: Peer) -> None:
        """Upload a new signed prekey where the current one is old, and no one-time keys: the relay asks for those."""
        if self._context.own.is_rotation_due(self._context.clock()):
            await self.fill(peer, PREKEY_STOCK, KEM_PREKEY_STOCK)
