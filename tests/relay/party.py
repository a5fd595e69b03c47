"""Raw clients of a relay: handmade keys, no session, every message of the protocol by hand."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from corefast.link.secure import initiator_ik
from corefast.net.client import connect, parse_relay_url
from corefast.net.transport import Peer
from corefast.protocol.keys import KemKeyPair, KeyPair
from corefast.relay.app import Relay, unix_ms
from corefast.relay.config import RelayConfig
from corefast.wire.codec import relay_codec
from corefast.wire.messages import (
    Ack,
    Attach,
    Attached,
    Bundle,
    Deliver,
    Drained,
    Evicted,
    FetchBundle,
    Item,
    Part,
    Post,
    PostBatch,
    PostResults,
    PostState,
    PreKeysLow,
    PreKeyUpload,
    PublicPreKey,
    Register,
    Registered,
    SignedPreKey,
)
from tests.support import engine

IDENTITY = KeyPair.generate(os.urandom)
_KEM_PUBLIC = KemKeyPair.generate().public
_KEM_SIGNATURE = IDENTITY.sign(_KEM_PUBLIC, os.urandom)
_SIGNED = KeyPair.generate(os.urandom).public
_SIGNATURE = IDENTITY.sign(_SIGNED, os.urandom)


def kem_key(id: int) -> SignedPreKey:
    """A KEM prekey of `IDENTITY`; all have the same public part, as only their ids matter here."""
    return SignedPreKey(id, _KEM_PUBLIC, _KEM_SIGNATURE)


def curve_key(id: int) -> PublicPreKey:
    return PublicPreKey(id, b"\x05" + id.to_bytes(32, "big"))


def upload(one_time: int = 0, one_time_kem: int = 0, first_id: int = 100) -> PreKeyUpload:
    ids = range(first_id, first_id + one_time)
    kem_ids = range(first_id, first_id + one_time_kem)
    keys = [curve_key(id) for id in ids], [kem_key(id) for id in kem_ids]
    return PreKeyUpload(SignedPreKey(1, _SIGNED, _SIGNATURE), kem_key(1), *keys)


def claim(number: str, **other: Any) -> Register:
    other.setdefault("prekeys", upload())
    return Register(number, other.pop("identity", IDENTITY.public), 7, **other)


_parties: list["Party"] = []


def play(story: Callable[[], Awaitable[None]]) -> None:
    """Run *story* on a loop of its own; whoever is still connected at its end, good or bad, is hung up."""

    async def run() -> None:
        try:
            await story()
        finally:
            await hang_up_all()

    uvloop.run(run())


async def hang_up_all() -> None:
    """Hang up whoever is still connected: uvloop does not close before."""
    for party in _parties:
        party.peer.close()
    await asyncio.gather(*(party.peer.closed() for party in _parties))
    _parties.clear()


class Party:
    """One client: its link key, its connection, and everything that came."""

    def __init__(self, url: str, key: KeyPair | None = None, codec: Any = relay_codec) -> None:
        self.codec = codec
        self.url = parse_relay_url(url)
        self.key = key or KeyPair.generate(os.urandom)
        self.results: dict[bytes, PostState] = {}
        self.items: list[Item] = []
        self.evicted: str | None = None
        self.low: list[PreKeysLow] = []
        self.drained_after: list[int] = []
        self.acks_itself = False
        self.ended: Exception | None = None
        self.is_lost = False
        self._news = asyncio.Event()

    async def connect(self) -> "Party":
        self.items, self.drained_after, self.is_lost, self.evicted = [], [], False, None
        handshake = initiator_ik(self.key.private, self.url.key)
        self.peer: Peer = await connect(self.url.host, self.url.port, handshake, self.codec, self)
        _parties.append(self)
        return self

    def received(self, peer: Peer, message: Any, call: int) -> None:
        if isinstance(message, PostResults):
            self.results.update({result.id: PostState(result.state) for result in message.results})
        elif isinstance(message, Deliver):
            self.items += message.items
            if self.acks_itself:
                peer.notify(Ack([item.seq for item in message.items]))
        elif isinstance(message, Drained):
            self.drained_after.append(len(self.items))
        elif isinstance(message, Evicted):
            self.evicted = message.code
        elif isinstance(message, PreKeysLow):
            self.low.append(message)
        self._news.set()

    def lost(self, peer: Peer, error: Exception | None) -> None:
        self.is_lost, self.ended = True, error
        self._news.set()

    async def until(self, test: Callable[[], Any], timeout_s: float = 20.0) -> None:
        """Wait until *test* holds of what came."""
        async with asyncio.timeout(timeout_s):
            while not test():
                self._news.clear()
                await self._news.wait()

    async def register(self, number: str, **other: Any) -> Registered:
        answer: Registered = await self.peer.call(claim(number, **other))
        return answer

    async def attach(self, **wish: Any) -> Attached:
        answer: Attached = await self.peer.call(Attach(**wish))
        return answer

    async def join(self, number: str, **other: Any) -> "Party":
        """Connect, register, attach, drain."""
        await self.connect()
        await self.register(number, **other)
        await self.attach()
        await self.until(lambda: self.drained_after)
        return self

    async def fetch(self, number: str) -> Bundle:
        answer: Bundle = await self.peer.call(FetchBundle(number))
        return answer

    def post(self, *posts: Post, commit_seq: int = 0) -> None:
        self.peer.notify(PostBatch(commit_seq, list(posts)))

    def ack(self, *items: Item) -> None:
        self.peer.notify(Ack([item.seq for item in items or self.items]))

    async def leave(self) -> None:
        self.peer.close()
        await self.peer.closed()


def envelope(name: int | str, to: str, body: bytes = b"sealed", **other: Any) -> Post:
    return Post(envelope_id(name), to, other.pop("version", 1), [Part(1, 2, body)], **other)


def envelope_id(name: int | str) -> bytes:
    return str(name).encode().rjust(16, b"0")


class Clock:
    """Unix milliseconds that pass when the story says so."""

    def __init__(self) -> None:
        self.now_ms = unix_ms()

    def __call__(self) -> int:
        return self.now_ms


@asynccontextmanager
async def relay_at(
    folder: Path, clock: Callable[[], int] = unix_ms, **settings: Any
) -> AsyncIterator[tuple[Relay, str]]:
    """A relay in this process, over a real database and a real port."""
    settings.setdefault("registration", "open")
    settings.setdefault("post_burst", 1_000_000)
    place = engine.current.settings(folder, "relay")
    relay = await Relay.open(folder, RelayConfig(data_dir=str(folder), **place, **settings), clock)
    try:
        yield relay, await relay.listen("127.0.0.1", 0)
    finally:
        await relay.close()
