"""The groups of an account in memory, packed, and our chains in them (docs/protocol.md, groups).

Rosters that peers bring are here as soon as they are in a unit; where that fails, they are read again before the next
use (`doubt`, `settle`).
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from corefast.core.store.groups import GroupStore
from corefast.endpoint.group import Group, GroupSender
from corefast.errors import SnapshotInvalid
from corefast.logs import get_logger
from corefast.store.database import Unit
from corefast.wire.content import Content

log = get_logger()

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Group).decode


class Chain(NamedTuple):
    """Our chain in a group; each new one has the next serial."""

    serial: int
    sender: GroupSender


class Groups:
    """Every group of the account."""

    def __init__(self, store: GroupStore) -> None:
        self.store = store
        self._packed: dict[bytes, bytes] = {}
        self._made_ms: dict[bytes, int] = {}
        self._founders: Counter[str] = Counter()
        self._stale: dict[bytes, object] = {}
        """Groups whose chain has to end, each with a token of its own for each time that this became known."""
        self._doubtful: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._packed)

    async def load(self) -> None:
        for group, made_ms in await self.store.load():
            self.keep(group, made_ms)

    def names(self) -> list[bytes]:
        return list(self._packed)

    def get(self, name: bytes) -> Group | None:
        packed = self._packed.get(name)
        return None if packed is None else _decode(packed)

    def made_ms(self, name: bytes) -> int:
        return self._made_ms[name]

    def count(self, founder: str) -> int:
        """Return how many groups of that founder there are."""
        return self._founders[founder]

    def put(self, unit: Unit, group: Group, now_ms: int) -> None:
        """Add a group to *unit*, or its new roster, and use it from now on; `doubt` it where the unit fails."""
        made_ms = self._made_ms.get(group.id, now_ms)
        self.store.put(unit, group, made_ms)
        self.keep(group, made_ms)

    def doubt(self, name: bytes) -> None:
        """Note that memory may be ahead of the database."""
        self._doubtful.add(name)

    async def settle(self) -> None:
        """Read again what is in doubt; raise what keeps us from it."""
        for name in list(self._doubtful):
            found = await self.store.load(name)
            self._forget(name)
            for group, made_ms in found:
                self.keep(group, made_ms)
            self._doubtful.discard(name)

    def keep(self, group: Group, made_ms: int) -> None:
        """Use a group as it is stored, or is about to be."""
        if group.id not in self._packed:
            self._founders[group.founder] += 1
        self._packed[group.id] = _encode(group)
        self._made_ms[group.id] = made_ms

    def _forget(self, name: bytes) -> None:
        if (group := self.get(name)) is not None:
            self._founders[group.founder] -= 1
            del self._packed[name], self._made_ms[name]

    # ── our chains ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def load_chain(self, name: bytes, random: Callable[[int], bytes]) -> Chain:
        """Return our chain as it is committed, or a new one where there is none, or that one has to end."""
        row = await self.store.load_chain(name)
        if row is not None and row.snapshot is not None and not row.is_stale and name not in self._stale:
            try:
                return Chain(row.serial, GroupSender.restore(row.snapshot))
            except SnapshotInvalid as error:
                log.error("a chain of ours is damaged; a new one begins", code=error.code)
        return Chain(1 if row is None else row.serial + 1, GroupSender.new(name, random))

    async def handed_out(self, contents: Iterable[Content]) -> dict[bytes, Chain]:
        """Return the chains whose keys may go out with *contents* of groups: no new ones, and none that has to end."""
        chains = {}
        for name in {content.group.id for content in contents if content.group is not None}:
            row = await self.store.load_chain(name)
            if row is not None and row.snapshot is not None and not row.is_stale:
                with contextlib.suppress(SnapshotInvalid):
                    chains[name] = Chain(row.serial, GroupSender.restore(row.snapshot))
        return chains

    def outdate(self, unit: Unit, name: bytes) -> None:
        """Let a new chain begin before the next message."""
        self.end_chain(name)
        self.store.outdate_chain(unit, name)

    def end_chain(self, name: bytes) -> None:
        """Let a new chain begin with the next message, which is in the same commit as the reason."""
        self._stale[name] = object()

    def is_stale(self, name: bytes) -> bool:
        return name in self._stale

    def staleness(self, name: bytes) -> object:
        """Return what `began` is to be told after the commit of a new chain."""
        return self._stale.get(name)

    def began(self, name: bytes, staleness: object) -> None:
        """Note that a new chain is committed: unless something else has ended it meanwhile, it stays."""
        if self._stale.get(name) is staleness:
            self._stale.pop(name, None)

    def drop_chains(self, unit: Unit) -> None:
        """Drop all chains: a copy of this account may have gone on with them."""
        self.store.drop_chains(unit)
