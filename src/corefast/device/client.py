"""The SDK: one phone, its mailbox and its messages.

    device = await Device.open(home, "corefast://…", "+49 171 3920000")
    async for event in device.events():
        if isinstance(event, TextReceived):
            await device.send_text(event.sender, "thank you")

What a device accepted or told is durable; it may be killed at any moment.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog

from corefast.address import canonical_number
from corefast.device.connection import Connection, DeviceStopped, FindRelay
from corefast.device.directory import KnownPeer
from corefast.device.event import Event, LinkOffered, Offline, Ready, Safety, Stopped, Stored
from corefast.device.link_code import LinkCode
from corefast.device.linking import link
from corefast.device.name import ID_BYTES
from corefast.device.profile import Options, Profile
from corefast.device.receiving import Delivery, stored_event
from corefast.device.registration import Registration, stopped
from corefast.device.resending import Resending
from corefast.device.sending import Sending
from corefast.device.siblings import Siblings
from corefast.device.store.inbox import What
from corefast.device.store.outbox import OutboxRow, State
from corefast.endpoint.trust import identity_hash, safety_number
from corefast.errors import (
    BusyError,
    CorefastError,
    MessageTooLong,
    ParameterInvalid,
    PeerUnknown,
    RecipientIsSender,
    RemoteRefused,
    SetupError,
)
from corefast.limits import MAX_TEXT_CHARACTERS
from corefast.net.client import RelayUrl, parse_relay_url
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.body import Text
from corefast.wire.content import Body, Content, Read, encode_content
from corefast.wire.messages import (
    Ack,
    Deliver,
    DevicesChanged,
    Drained,
    Evicted,
    Item,
    ListedDevice,
    PostResult,
    PostResults,
    PreKeysLow,
    SlotJoined,
)

log = structlog.get_logger()

MAX_NOTICES = 10_000
"""Status and connection events kept for a reader who is late; the oldest are dropped, the store still knows them."""

SHOW_BATCH = 256
READ_BATCH = 500
"""Ids in one read receipt."""

UPKEEP_S = 3_600.0


class Device:
    """One phone. Made by `open`; `events` (or `batches`) says what happens."""

    def __init__(self, profile: Profile, find_relay: FindRelay | None) -> None:
        self._profile = profile
        self._find_relay = find_relay
        self._registration = Registration(profile)
        self._connection = Connection(
            self._locate, self, on_open=self._on_open, on_trouble=lambda e: self._tell(Offline(e.code, str(e)))
        )
        self._siblings = Siblings(profile, self._connection, self._locate, self._tell)
        self._sending = Sending(profile, self._connection, self._tell_all)
        self._resending = Resending(profile, self._connection, self._sending)
        self._notices: deque[Event] = deque(maxlen=MAX_NOTICES)
        self._news = asyncio.Event()
        self._shown_seq = 0
        self._has_waiting = True
        self._queue: deque[tuple[Peer, Any]] = deque()
        self._queued = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._end: Stopped | None = None
        self._is_closed = False

    @classmethod
    async def open(
        cls,
        home: str | Path,
        relay: str | FindRelay | None,
        number: str,
        options: Options | None = None,
    ) -> "Device":
        """Open or make the phone of *number* in the folder *home* and start to connect.

        An empty *number* opens the phone that is there, such as one that was linked. *relay* is the relay's URL, or a
        function that finds it before each attempt, or None to stay offline. Raises
        `SetupError` (the home is in use, or another number's) and `NumberInvalid`.
        """
        url = parse_relay_url(relay) if isinstance(relay, str) else None
        find: Any = relay

        async def given() -> Any:
            return url

        profile = await Profile.open(Path(home), number, options or Options())
        if not profile.has_account:
            await profile.close()
            raise SetupError("there is no phone in this home yet; say which number it gets")
        device = cls(profile, given if url is not None else find)
        try:
            await device._start()
        except BaseException:
            await device.close()
            raise
        return device

    @classmethod
    async def link(cls, home: str | Path, code: str, options: Options | None = None) -> "Device":
        """Make a phone in the folder *home* a further device of the number whose first device shows *code*; open it.

        Raises what `linking.link` names. A home that is linked already is only opened.
        """
        options = options or Options()
        relay = LinkCode.parse(code).relay
        number = await link(Path(home), code, options)

        async def given() -> RelayUrl:
            return relay

        return await cls.open(home, given, number, options)

    @property
    def number(self) -> str:
        """Our number, digits without a plus."""
        return self._profile.account.number

    @property
    def identity(self) -> bytes:
        """Our public identity key (33 bytes)."""
        return self._profile.own.identity.public

    @property
    def device(self) -> int:
        """Which device of our number this is; 1 is the first, 0 one that is being linked."""
        return self._profile.account.device

    @property
    def is_online(self) -> bool:
        return self._connection.peer is not None

    @property
    def end(self) -> Stopped | None:
        """Why the relay will not serve us again; None while it may."""
        return self._end

    # ── what happens ───────────────────────────────────────────────────────────────────────────────────────────────

    async def events(self) -> AsyncIterator[Event]:
        """Yield what happens, until the device is closed or has stopped.

        A stored event (a text, …) counts as shown once the reader comes back for the next one; until then it is told
        again, with the same id, after a restart.
        """
        async for batch in self.batches():
            for event in batch:
                yield event
                if isinstance(event, Stored) and not self._is_closed:
                    unit = Unit()
                    self._profile.inbox.set_shown(unit, [event.seq])
                    self._profile.database.commit_then(unit, _on_shown)

    async def batches(self) -> AsyncIterator[list[Event]]:
        """Yield events in lists, for readers that can take many at once; the reader calls `mark_shown` itself."""
        while not self._is_closed:
            batch: list[Event] = [*self._take_notices(), *await self._next_stored()]
            if batch:
                yield batch
            elif self._end is not None:
                return
            else:
                await self._news.wait()

    async def mark_shown(self, events: Iterable[Event]) -> None:
        """Remember that the stored ones among *events* need not be told again."""
        seqs = [event.seq for event in events if isinstance(event, Stored)]
        if seqs:
            unit = Unit()
            self._profile.inbox.set_shown(unit, seqs)
            await self._profile.database.commit(unit)

    # ── what the user does ─────────────────────────────────────────────────────────────────────────────────────────

    async def send_text(self, to: str, text: str, message_id: bytes | None = None) -> bytes:
        """Accept a text for *to* and return its id; durable, and on its way as soon as the relay is there.

        A *message_id* (16 bytes) that was used before makes this a repeat: nothing is sent again. Raises
        `NumberInvalid`, `ParameterInvalid`, `MessageTooLong`, `RecipientIsSender`, `Overloaded`.
        """
        number = canonical_number(to)
        if number == self.number:
            raise RecipientIsSender("a phone cannot write to itself")
        if not text:
            raise ParameterInvalid("the text is empty")
        if len(text) > MAX_TEXT_CHARACTERS:
            raise MessageTooLong(f"a text has at most {MAX_TEXT_CHARACTERS} characters")
        if message_id is not None and len(message_id) != ID_BYTES:
            raise ParameterInvalid(f"a message id has {ID_BYTES} bytes")
        self._sending.check_room(2)
        row = self._draft(number, Text(text), message_id)
        await self._accept(Unit(), self._siblings.with_copies([row]))
        return row.id

    async def mark_read(self, ids: Sequence[bytes]) -> int:
        """Tell the authors of these messages that they were read, once; return how many that were news."""
        by_author: dict[str, list[bytes]] = {}
        for author, message_id in await self._profile.inbox.unread(list(dict.fromkeys(ids))):
            by_author.setdefault(author, []).append(message_id)
        unit = Unit()
        rows = []
        for author, theirs in by_author.items():
            self._profile.inbox.set_read(unit, author, theirs)
            for at in range(0, len(theirs), READ_BATCH):
                rows.append(self._draft(author, Read(theirs[at : at + READ_BATCH]), None))
        rows = self._siblings.with_copies(rows)
        self._sending.check_room(len(rows))
        if rows:
            await self._accept(unit, rows)
        return sum(map(len, by_author.values()))

    async def status(self, message_id: bytes) -> tuple[State, str] | None:
        """Return the state of a message that we sent and, if it failed, why; None for an unknown id."""
        return await self._profile.outbox.status(message_id)

    async def safety(self, number: str) -> Safety:
        """Return by what our user and the one of *number* know each other; raise `NumberInvalid`, `PeerUnknown`."""
        peer = await self._known(number)
        assert peer.identity is not None
        digits = await asyncio.to_thread(safety_number, self.number, self.identity, peer.number, peer.identity)
        return Safety(peer.number, digits, identity_hash(peer.identity), peer.is_accepted)

    async def accept_identity(self, number: str) -> None:
        """Take the user's word for the identity key that *number* has; raise `NumberInvalid`, `PeerUnknown`."""
        unit = Unit()
        async with self._profile.turn():
            peer = await self._profile.directory.load(canonical_number(number))
            if peer.identity is None:
                raise PeerUnknown("no message came from or went to this number yet")
            peer.accept_identity()
            self._profile.directory.save(unit, peer)
            await self._profile.database.commit(unit)

    async def _known(self, number: str) -> KnownPeer:
        async with self._profile.directory.turn:
            peer = await self._profile.directory.load(canonical_number(number))
            if peer.identity is None:
                raise PeerUnknown("no message came from or went to this number yet")
            return peer

    # ── our number's devices ───────────────────────────────────────────────────────────────────────────────────────

    async def offer_link(self) -> LinkOffered:
        """Return a code for one new device; an older one is void. Only the first device may, and only online.

        Raises `LinkLost`, `RemoteRefused` (`device.not_first`, `device.full`, `rate.limited`).
        """
        return await self._siblings.offer_link()

    async def devices(self) -> list[ListedDevice]:
        """Return the devices of our number as the relay has them; raise `LinkLost`."""
        return await self._siblings.known()

    async def unlink(self, device: int) -> list[ListedDevice]:
        """Cut *device* of our number off and return those that stay.

        Raises `LinkLost`, `RemoteRefused` (`device.not_first`, `device.unknown`).
        """
        return await self._siblings.unlink(device)

    async def close(self) -> None:
        """Hang up and let go of the home. What is under way goes on at the next `open`."""
        self._is_closed = True
        self._news.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._resending.close()
        await self._sending.close()
        await self._profile.close()

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self) -> None:
        await self._sending.resume()
        if self._find_relay is not None:
            self._tasks = [
                asyncio.create_task(chore) for chore in (self._stay_connected(), self._work(), self._keep_up())
            ]

    async def _locate(self) -> Any:
        assert self._find_relay is not None, "an offline device does not connect"
        return await self._find_relay()

    def _draft(self, number: str, body: Body, message_id: bytes | None) -> OutboxRow:
        profile = self._profile
        message_id = message_id or profile.random(ID_BYTES)
        at_ms = profile.clock()
        content = encode_content(Content(message_id, at_ms, body, profile.name))
        what = What.TEXT if isinstance(body, Text) else What.READ
        return OutboxRow(0, message_id, number, what, at_ms, content)

    async def _accept(self, unit: Unit, rows: list[OutboxRow]) -> None:
        """Commit *rows* and send those whose ids are new."""
        for row in rows:
            self._profile.outbox.accept(unit, row)
        returned = await self._profile.database.commit(unit)
        self._sending.add([row._replace(seq=seq[0][0]) for row, seq in zip(rows, returned, strict=True) if seq])

    def _tell(self, event: Event) -> None:
        self._notices.append(event)
        self._news.set()

    def _tell_all(self, events: Iterable[Event]) -> None:
        for event in events:
            self._tell(event)

    def _take_notices(self) -> list[Event]:
        self._news.clear()
        notices = list(self._notices)
        self._notices.clear()
        return notices

    async def _next_stored(self) -> list[Event]:
        """Return the next stored events that were not told in this run."""
        if not self._has_waiting:
            return []
        self._has_waiting = False
        rows = await self._profile.inbox.waiting(self._shown_seq, SHOW_BATCH)
        if rows:
            self._shown_seq = rows[-1].seq
            self._has_waiting = True
        return [stored_event(row) for row in rows]

    async def _stay_connected(self) -> None:
        try:
            await self._connection.run(self._profile.account.link_key)
        except DeviceStopped as error:
            self._stop(error)

    def _stop(self, error: DeviceStopped) -> None:
        if self._end is None:
            self._end = Stopped(error.code, str(error))
            self._tell(self._end)

    async def _on_open(self, peer: Peer) -> None:
        await self._registration.open(peer)
        self._tell(Ready(self.number, self.device))
        loop = asyncio.get_running_loop()
        loop.call_soon(self._sending.resend)
        loop.call_soon(self._resending.resume)

    async def _keep_up(self) -> None:
        """Rotate prekeys of a device that stays connected for weeks, and forget what is old."""
        while True:
            await asyncio.sleep(UPKEEP_S)
            with contextlib.suppress(CorefastError):
                await self._profile.sweep()
            if (peer := self._connection.peer) is not None:
                with contextlib.suppress(CorefastError):
                    await self._registration.rotate(peer)

    # ── what the relay says ────────────────────────────────────────────────────────────────────────────────────────

    def received(self, peer: Peer, message: Any, call: int) -> None:
        self._queue.append((peer, message))
        self._queued.set()

    def lost(self, peer: Peer, error: Exception | None) -> None:
        self._resending.lost()

    async def _work(self) -> None:
        """Take what the relay said, in order; the relay bounds the queue, as it waits for our acks."""
        while True:
            await self._queued.wait()
            self._queued.clear()
            queue, self._queue = self._queue, deque()
            for peer, messages in _by_peer(queue):
                try:
                    await self._take(peer, messages)
                except Exception as error:
                    # The store failed: nothing was acked, so it all comes again on a new link.
                    log.exception("receiving.failed")
                    code = error.code if isinstance(error, CorefastError) else CorefastError.code
                    self._tell(Offline(code, "what the relay sent could not be stored; trying again"))
                    peer.close()

    async def _take(self, peer: Peer, messages: list[Any]) -> None:
        items: list[Item] = []
        results: list[PostResult] = []
        for message in messages:
            match message:
                case Deliver(new):
                    items += new
                case PostResults(new_results):
                    results += new_results
                case PreKeysLow(one_time_left, one_time_kem_left):
                    await self._fill_up(peer, one_time_left, one_time_kem_left)
                case SlotJoined():
                    await self._siblings.joined(peer, message)
                case DevicesChanged():
                    await self._siblings.changed(message)
                case Evicted(code):
                    self._evict(peer, code)
                case Drained():
                    pass
                case _:
                    log.warning("message.unexpected", type=type(message).__name__)
        if results:
            self._resending.take_results(results)
            await self._sending.take_results(results)
        if items:
            delivery = Delivery(self._profile)
            told = await delivery.take(items)
            self._sending.drop(delivery.dropped)  # before another task runs: they were meant for another identity
            self._tell_all(told)
            peer.notify(Ack([item.seq for item in items]))
            self._resending.wake_all(delivery.peers_to_serve)
            self._has_waiting = True
            self._news.set()

    async def _fill_up(self, peer: Peer, one_time_left: int, one_time_kem_left: int) -> None:
        """Upload prekeys; what fails here is tried again when the relay says so again, or at the next link."""
        try:
            await self._registration.fill_up(peer, one_time_left, one_time_kem_left)
        except (BusyError, RemoteRefused) as error:
            log.warning("prekeys.upload_failed", code=error.code)

    def _evict(self, peer: Peer, code: str) -> None:
        self._stop(stopped(code))
        self._tasks[0].cancel()
        peer.close()


def _on_shown(error: Exception | None) -> None:
    if error is not None:
        log.warning("shown.not_stored", error=type(error).__name__)


def _by_peer(queue: Iterable[tuple[Peer, Any]]) -> list[tuple[Peer, list[Any]]]:
    """Group messages of one link, in order."""
    groups: list[tuple[Peer, list[Any]]] = []
    for peer, message in queue:
        if not groups or groups[-1][0] is not peer:
            groups.append((peer, []))
        groups[-1][1].append(message)
    return groups
