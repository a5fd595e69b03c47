"""The SDK: one phone, its mailbox and its messages.

    device = await Device.open(home, "corefast://…", "+49 171 3920000")
    async for event in device.events():
        if isinstance(event, MessageReceived):
            await device.send_text(event.sender, "thank you")

What a device accepted or told is durable; it may be killed at any moment.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

from corefast.address import canonical_number
from corefast.device.acquaintance import Acquaintance
from corefast.device.bounds import check_sent
from corefast.device.choice import choose
from corefast.device.connection import Connection, DeviceStopped, FindRelay
from corefast.device.draft import draft
from corefast.device.event import (
    Event,
    LinkOffered,
    MessageReceived,
    MessageSent,
    Offline,
    Ready,
    Safety,
    Stopped,
)
from corefast.device.feed import Feed
from corefast.device.file import kind_of, mime_of, name_of, reserve
from corefast.device.groups import Groups
from corefast.device.intake import Intake
from corefast.device.link_code import LinkCode
from corefast.device.linking import link
from corefast.device.media import Files
from corefast.device.profile import Options, Profile
from corefast.device.receiving import message_of, message_sent
from corefast.device.registration import Registration, stopped
from corefast.device.resending import Resending
from corefast.device.sending import Sending
from corefast.device.siblings import Siblings
from corefast.device.store.outbox import OutboxRow, State
from corefast.errors import (
    CorefastError,
    LinkLost,
    ParameterInvalid,
    RecipientIsSender,
    SetupError,
)
from corefast.net.client import RelayUrl, parse_relay_url
from corefast.net.sweep import swept
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.body import Attachment, MediaKind, Saying, Text
from corefast.wire.content import Medium, Read
from corefast.wire.messages import ListedDevice

READ_BATCH = 500
"""Ids in one read receipt."""

UPKEEP_S = 3_600.0


class Device:
    """One phone. Made by `open`; `events` (or `batches`) says what happens."""

    def __init__(self, profile: Profile, find_relay: FindRelay | None) -> None:
        self._profile = profile
        self._find_relay = find_relay
        self._registration = Registration(profile)
        self._acquaintance = Acquaintance(profile)
        self._feed = Feed(profile)
        self._connection = Connection(
            self._locate,
            self,
            on_open=self._on_open,
            on_ready=self._on_ready,
            on_trouble=lambda e: self._feed.tell(Offline(e.code, str(e))),
        )
        self._siblings = Siblings(profile, self._connection, self._locate, self._feed.tell)
        self._sending = Sending(profile, self._connection, self._feed.tell_all)
        self._resending = Resending(profile, self._connection, self._sending)
        self.groups = Groups(profile, self._siblings, self._sending, self._accept)
        self._intake = Intake(
            profile,
            self._feed,
            registration=self._registration,
            siblings=self._siblings,
            groups=self.groups,
            sending=self._sending,
            resending=self._resending,
            on_evicted=self._evict,
        )
        self.files = Files(self._locate, lambda: profile.account.link_key, profile.random)
        self._tasks: list[asyncio.Task[None]] = []
        self._end: Stopped | None = None

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
    def end(self) -> Stopped | None:
        """Why the relay will not serve us again; None while it may."""
        return self._end

    # ── what happens ───────────────────────────────────────────────────────────────────────────────────────────────

    def events(self) -> AsyncIterator[Event]:
        """Yield what happens, until the device is closed or has stopped.

        A stored event (a message, …) counts as shown once the reader comes back for the next one; until then it is
        told again, with the same id, after a restart.
        """
        return self._feed.events()

    def batches(self) -> AsyncIterator[list[Event]]:
        """Yield events in lists, for readers that can take many at once; the reader calls `mark_shown` itself."""
        return self._feed.batches()

    async def mark_shown(self, events: Iterable[Event]) -> None:
        """Remember that the stored ones among *events* need not be told again."""
        await self._feed.mark_shown(events)

    async def message(self, peer: str | bytes, message_id: bytes) -> MessageReceived | MessageSent | None:
        """Return the message with this id that came from or went to *peer*; None for one that is not kept here.

        *peer* is a number, or the id of a group. What we sent is kept for some hours only (`Options.resend_hours`).
        """
        if isinstance(peer, bytes):
            return await self.groups.message(peer, message_id)
        number = canonical_number(peer)
        if (sent := await self._profile.outbox.find(number, message_id)) is not None:
            return message_sent(sent, self.device)
        row = await self._profile.inbox.find(number, message_id)
        return message_of(row) if row is not None else None

    # ── what the user does ─────────────────────────────────────────────────────────────────────────────────────────

    async def send(
        self,
        to: str | bytes,
        body: Saying,
        *,
        reply_to: bytes | None = None,
        media: Medium | None = None,
        message_id: bytes | None = None,
    ) -> bytes:
        """Accept a message for *to* and return its id; durable, and on its way as soon as the relay is there.

        *to* is a number, or the id of a group, in which each member is told it.
        *reply_to* is the id of a message that it quotes; *media* goes with an attachment. A *message_id* (16 bytes)
        that was used before makes this a repeat: nothing is sent again. Raises `NumberInvalid`, `ParameterInvalid`,
        `MessageTooLong`, `RecipientIsSender`, `Overloaded`; for a group `GroupMissing`, `GroupNotJoined`.
        """
        check_sent(body, reply_to, media)
        if isinstance(to, bytes):
            return await self.groups.say(to, body, reply_to=reply_to, media=media, message_id=message_id)
        number = canonical_number(to)
        if number == self.number:
            raise RecipientIsSender("a phone cannot write to itself")
        row = draft(self._profile, number, body, message_id=message_id, reply_to=reply_to, media=media)
        self._sending.check_room(2)
        await self._accept(Unit(), self._siblings.with_copies([row]))
        return row.id

    async def send_text(self, to: str | bytes, text: str, message_id: bytes | None = None) -> bytes:
        """Send a text, as `send` does."""
        return await self.send(to, Text(text), message_id=message_id)

    async def choose(self, message: MessageReceived, option: str, message_id: bytes | None = None) -> bytes:
        """Answer *message* with one of its buttons or rows, named by its id or title, as `send` does."""
        answer = choose(message.body, option).answer
        return await self.send(message.peer, answer, reply_to=message.id, message_id=message_id)

    async def send_file(
        self,
        to: str | bytes,
        path: str | Path,
        said: Attachment | None = None,
        *,
        mime: str = "",
        reply_to: bytes | None = None,
        message_id: bytes | None = None,
    ) -> bytes:
        """Send a file, as `send` does, once the relay has it; so it has to be online, else `LinkLost`.

        What kind it is follows from its MIME type, and that from its name, where *said* and *mime* say nothing.
        """
        if message_id is not None and await self.status(message_id) is not None:
            return message_id
        path, to = Path(path), canonical_number(to) if isinstance(to, str) else to
        mime = mime_of(path, mime)
        kind = kind_of(mime)
        said = said or Attachment(kind, "", path.name if kind is MediaKind.DOCUMENT else "")
        if self._find_relay is None:
            raise LinkLost("this phone is offline; a file is sent once the relay has it")
        try:
            medium = await self.files.put(path, mime)
        except OSError as error:
            raise ParameterInvalid(f"the file cannot be read: {error.strerror}") from None
        return await self.send(to, said, reply_to=reply_to, media=medium, message_id=message_id)

    async def save_file(self, message: MessageReceived | MessageSent, path: str | Path = ".") -> Path:
        """Save the medium of *message* as *path*, or in that folder; an existing file stays. Return where it is.

        Raises `ParameterInvalid` (no medium, or no place to write), `MediaDamaged` (the relay has another file),
        `LinkLost`, and `RemoteRefused` (`blob.unknown`: it is not kept any more).
        """
        if message.media is None:
            raise ParameterInvalid("this message has no file")
        if self._find_relay is None:
            raise LinkLost("this phone is offline; the file is at the relay")
        try:
            target = await asyncio.to_thread(reserve, Path(path), name_of(message, message.media))
            try:
                await self.files.get(message.media, target)
            except BaseException:
                await asyncio.to_thread(target.unlink)
                raise
        except OSError as error:
            raise ParameterInvalid(f"the file cannot be written: {error.strerror}") from None
        return target

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
                rows.append(draft(self._profile, author, Read(theirs[at : at + READ_BATCH])))
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
        return await self._acquaintance.safety(number)

    async def accept_identity(self, number: str) -> None:
        """Take the user's word for the identity key that *number* has; raise `NumberInvalid`, `PeerUnknown`."""
        await self._acquaintance.accept(number)

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
        self._feed.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._resending.close()
        await self._sending.close()
        await self._profile.close()

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self) -> None:
        await self._sending.resume()
        await self.groups.settle_all()
        if self._find_relay is not None:
            self._tasks = [
                asyncio.create_task(chore) for chore in (self._stay_connected(), self._intake.work(), self._keep_up())
            ]

    async def _locate(self) -> Any:
        assert self._find_relay is not None, "an offline device does not connect"
        return await self._find_relay()

    async def _accept(self, unit: Unit, rows: list[OutboxRow], *, has_encrypted: bool = False) -> None:
        """Commit *rows* and send those whose ids are new."""
        for row in rows:
            self._profile.outbox.accept(unit, row)
        commit = self._profile.commit_encrypted if has_encrypted else self._profile.database.commit
        returned = await commit(unit)
        self._sending.add([row._replace(seq=seq[0][0]) for row, seq in zip(rows, returned, strict=True) if seq])

    async def _stay_connected(self) -> None:
        try:
            await self._connection.run(self._profile.account.link_key)
        except DeviceStopped as error:
            self._stop(error)

    def _stop(self, error: DeviceStopped) -> None:
        if self._end is None:
            self._end = Stopped(error.code, str(error))
            self._feed.tell(self._end)
            self._feed.end()

    async def _on_open(self, peer: Peer) -> None:
        await self.groups.introduce(await self._registration.open(peer))
        self._feed.tell(Ready(self.number, self.device))

    def _on_ready(self) -> None:
        """Post what has no result before a lane posts what comes after it."""
        self._sending.resend()
        self._resending.resume()

    async def _keep_up(self) -> None:
        """Rotate prekeys of a device that stays connected for weeks, forget what is old, make keys ahead."""
        with swept(self._profile.refill):
            while True:
                await asyncio.sleep(UPKEEP_S)
                with contextlib.suppress(CorefastError):
                    await self._profile.sweep()
                    await self.groups.settle_all()
                if (peer := self._connection.peer) is not None:
                    with contextlib.suppress(CorefastError):
                        await self._registration.rotate(peer)

    # ── the link's handler ─────────────────────────────────────────────────────────────────────────────────────────

    def received(self, peer: Peer, message: Any, call: int) -> None:
        self._intake.put(peer, message)

    def lost(self, peer: Peer, error: Exception | None) -> None:
        self._resending.lost()

    def _evict(self, code: str) -> None:
        self._stop(stopped(code))
        self._tasks[0].cancel()
