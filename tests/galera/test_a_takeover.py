"""Two whole cores of one account, each on its own node: the second takes over from the first."""

import asyncio
import shutil
from itertools import cycle
from pathlib import Path

import pytest

from corefast.core.secrets import load_secrets
from corefast.errors import CorefastError
from corefast.link.secure import initiator_psk
from corefast.net.calls import Dispatcher
from corefast.net.client import connect
from corefast.net.transport import Peer
from corefast.wire.body import Text
from corefast.wire.codec import gateway_codec
from corefast.wire.event import Event, EventKind, ReadEvents
from corefast.wire.gateway import Accepted, Idempotency, Send
from tests.galera.conftest import Tell
from tests.support.business import soon
from tests.support.galera import Galera, Node
from tests.support.journal import positions_used_twice
from tests.support.mariadb import PASSWORD
from tests.support.programs import Phone, Program

BUSINESS, CUSTOMER = "493023125000", "491713920001"
POSTERS, MESSAGES = 4, 240
FILES = ("master.key", "front.secret", "webhooks.secret")


class Core:
    """A core on a node, and a front's link to it while there is one."""

    def __init__(self, folder: Path, node: Node, schema: str) -> None:
        self.folder = folder
        self.environ = {
            "COREFAST_DATABASE": f"mysql://corefast@127.0.0.1:{node.port}/{schema}",
            "COREFAST_DATABASE_PASSWORD": PASSWORD,
        }
        self.program: Program | None = None
        self._port = 0
        self._link: Peer | None = None

    async def start(self, relay: str) -> None:
        command = ["corefast.core", "--data-dir", str(self.folder), "--listen", "127.0.0.1:0"]
        command += ["--relay", relay, "--number", BUSINESS]
        self.program = await Program.start(*command, **self.environ)
        self._port = int((await self.program.fact(ready="core"))["listen"].rpartition(":")[2])

    async def link(self) -> Peer:
        if self._link is None or not self._link.is_open:
            if not self._port:
                raise OSError("not started")
            secret = load_secrets(self.folder / "front.secret", bytes)[0]
            secure = initiator_psk(secret)
            self._link = await connect("127.0.0.1", self._port, secure, gateway_codec, Dispatcher({}))
        return self._link


async def insist(cores: list[Core], text: str) -> str:
    """Send *text* under a key of its own, to one core after the other until one has accepted it; return its id."""
    key = Idempotency("test", text.replace(" ", "-"), text.encode())
    async with asyncio.timeout(60):
        for core in cycle(cores):
            try:
                async with asyncio.timeout(5):
                    send = Send(BUSINESS, CUSTOMER, Text(text), idempotency=key)
                    accepted: Accepted = await (await core.link()).call(send)
                    return accepted.id
            except (CorefastError, OSError, TimeoutError):
                await asyncio.sleep(0.02)
    raise AssertionError


async def all_events(core: Core) -> list[Event]:
    found: list[Event] = []
    after = ""
    while (page := await (await core.link()).call(ReadEvents(BUSINESS, after, 1_000))).events:
        found += page.events
        after = page.cursor
    return found


@pytest.mark.parametrize("is_killed_first", [True, False], ids=["after kill -9", "from a running one"])
def test_nothing_is_lost_or_doubled_when_a_second_core_takes_over(
    tell: Tell, galera: Galera, tmp_path: Path, is_killed_first: bool
) -> None:
    schema = galera.nodes[0].address().name
    first = Core(tmp_path / "first", galera.nodes[0], schema)
    second = Core(tmp_path / "second", galera.nodes[1], schema)
    journal = tmp_path / "journal"
    accepted: dict[str, str] = {}

    async def post(poster: int) -> None:
        for index in range(MESSAGES // POSTERS):
            text = f"{poster} {index}"
            accepted[text] = await insist([first, second], text)

    async def take_over(relay: str) -> None:
        await soon(lambda: len(accepted) >= MESSAGES // 3, 60)
        second.folder.mkdir()
        for name in FILES:
            shutil.copy(first.folder / name, second.folder)
        assert first.program is not None
        if is_killed_first:
            await first.program.kill()
        await second.start(relay)
        await soon(lambda: len(accepted) >= 2 * MESSAGES // 3, 60)
        await first.program.kill()

    async def story() -> None:
        command = ["corefast.relay", "--data-dir", str(tmp_path / "relay"), "--listen", "127.0.0.1:0"]
        relay = await Program.start(*command, "--registration", "open", "--journal", str(journal))
        url = (await relay.fact(ready="relay"))["url"]
        await first.start(url)
        phone = Phone(CUSTOMER, tmp_path / "phone", url)
        await phone.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(take_over(url))
            for poster in range(POSTERS):
                tasks.create_task(post(poster))
        await soon(lambda: set(accepted) <= set(phone.texts), 60, lambda: set(accepted) - set(phone.texts))
        assert len(phone.texts) == len(accepted) == MESSAGES
        for poster in range(POSTERS):
            mine = [text for text in phone.texts if text.startswith(f"{poster} ")]
            assert mine == [f"{poster} {index}" for index in range(MESSAGES // POSTERS)]
        events: list[Event] = []
        async with asyncio.timeout(30):
            while len(events) < 2 * MESSAGES:
                events = await all_events(second)
        states: dict[str, list[EventKind]] = {}
        for event in events:
            states.setdefault(event.message_id, []).append(event.kind)
        assert set(states) == set(accepted.values())
        assert {tuple(kinds) for kinds in states.values()} == {(EventKind.SENT, EventKind.DELIVERED)}
        assert positions_used_twice(journal) == []
        await phone.stop()
        assert second.program is not None and await second.program.stop() == 0
        assert await relay.stop() == 0

    tell(story())
