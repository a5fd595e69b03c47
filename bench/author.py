"""The load of `relay.forward`: one account that encrypts for every phone and posts to the relay, without a core.

`python -m bench.author RELAY_URL PHONES WINDOW ROOM OUTPUT`; runs as `bench.sender` does, after the line `start` made
the sessions. `accepted` is when the relay's result came.
"""

import asyncio
import os
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.programs import say
from bench.sender import TEXT, Run
from bench.swarm import number_of
from corefast.endpoint.fanout import bundle_of
from corefast.endpoint.stock import OwnKeys
from corefast.link.secure import initiator_ik
from corefast.net.client import RelayUrl, connect, parse_relay_url
from corefast.net.transport import Peer
from corefast.protocol.session import Session
from corefast.protocol.start import initiate
from corefast.wire.body import Text
from corefast.wire.codec import relay_codec
from corefast.wire.content import Content, encode_content
from corefast.wire.messages import Ack, Attach, Deliver, FetchBundle, Part, Post, PostBatch, PostResults, Register

BUSINESS = "493023125000"
TAKEN = (1, 2)


class Author:
    """The handler of the author's link, and its window."""

    def __init__(self, window: int, room: int) -> None:
        self.due, self.accepted = array("q", bytes(8 * room)), array("q", bytes(8 * room))
        self.sent = self.answered = self.refused = 0
        self._window = window
        self._own = OwnKeys.new(os.urandom)
        self._sessions: list[tuple[str, int, Session]] = []
        self._limit = self._end_ns = 0
        self._done = asyncio.Event()
        self.peer: Peer

    async def open(self, relay: RelayUrl) -> None:
        handshake = initiator_ik(os.urandom(32), relay.key)
        self.peer = await connect(relay.host, relay.port, handshake, relay_codec, self)
        change = self._own.make_upload(os.urandom, time.time_ns() // 1_000_000)
        assert change is not None
        await self.peer.call(Register(BUSINESS, self._own.identity.public, self._own.registration_id, change.upload))
        await self.peer.call(Attach())

    async def start(self, phones: int) -> None:
        """Start a session with each phone."""
        for index in range(phones):
            bundle = await self.peer.call(FetchBundle(number_of(index)))
            found = bundle_of(bundle, bundle.devices[0])
            session = initiate(self._own.identity, self._own.registration_id, found, os.urandom)
            self._sessions.append((bundle.number, bundle.devices_version, session))

    async def run(self, run: Run) -> None:
        """Keep the window full until time or limit; return when every post has its result."""
        self._end_ns = time.monotonic_ns() + int(run.seconds * 1e9)
        self._limit = self.sent + run.limit if run.limit >= 0 else len(self.due)
        self._done.clear()
        self._fill()
        await self._done.wait()

    def _fill(self) -> None:
        posts = []
        while self.sent < self._limit and self.sent - self.answered < self._window:
            now_ns = time.monotonic_ns()
            if now_ns >= self._end_ns:
                break
            self.due[self.sent] = now_ns
            posts.append(self._post(self.sent))
            self.sent += 1
        if posts:
            self.peer.notify(PostBatch(0, posts))
        elif self.answered == self.sent:
            self._done.set()

    def _post(self, serial: int) -> Post:
        number, version, session = self._sessions[serial % len(self._sessions)]
        # The serial is in the id too: a result names nothing else.
        message_id, said = serial.to_bytes(16, "big"), Text(f"{serial:010}" + TEXT[10:])
        content = Content(message_id, time.time_ns() // 1_000_000, said, author=BUSINESS)
        kind, body = session.encrypt(encode_content(content), os.urandom)
        return Post(content.id, number, version, [Part(1, kind, body)])

    def received(self, peer: Peer, message: Any, call: int) -> None:
        if type(message) is PostResults:
            now_ns = time.monotonic_ns()
            for result in message.results:
                if result.state in TAKEN:
                    self.accepted[int.from_bytes(result.id, "big")] = now_ns
                else:
                    self.refused += 1
            self.answered += len(message.results)
            self._fill()
        elif type(message) is Deliver:
            for item in message.items:
                if item.kind == 2:
                    self._sessions[int(item.sender.id[4:])][2].decrypt(item.body, os.urandom)
            peer.notify(Ack([item.seq for item in message.items]))

    def lost(self, peer: Peer, error: Exception | None) -> None:
        self._done.set()


async def main() -> None:
    url, phones, window, room, output = sys.argv[1:]
    author = Author(int(window), int(room))
    await author.open(parse_relay_url(url))
    say(ready="load")
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        if not author._sessions:
            await author.start(int(phones))
        run = msgspec.json.decode(line, type=Run)
        first, refused = author.sent, author.refused
        await author.run(run)
        say(first=first, sent=author.sent - first, refused=author.refused - refused, why="")
    await asyncio.to_thread(Path(output).write_bytes, author.due.tobytes() + author.accepted.tobytes())


if __name__ == "__main__":
    uvloop.run(main())
