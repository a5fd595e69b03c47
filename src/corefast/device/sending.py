"""Messages on their way: accepted rows, a lane for each recipient, ciphertexts posted until the relay has them.

A ciphertext is stored together with the session that made it before it leaves, and a resend sends the stored one. The
order of a recipient's messages is the order of acceptance.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from corefast.device.directory import FIRST_VERSION, KnownPeer
from corefast.device.event import Limited, StatusChanged
from corefast.device.group import KnownGroup
from corefast.device.pace import Pace
from corefast.device.profile import Profile
from corefast.device.progress import Progress
from corefast.device.receiving import put_identity_news
from corefast.device.store.outbox import OutboxRow
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.fanout import bundle_of, check_devices, fan_out
from corefast.endpoint.resend import identity_mark
from corefast.endpoint.trust import Trust, check_identity
from corefast.errors import (
    BundleInvalid,
    BusyError,
    CorefastError,
    IdentityUnacknowledged,
    Overloaded,
    PeerError,
    RemoteRefused,
    SealBroken,
    StoreError,
)
from corefast.limits import MAX_UNANSWERED_POSTS
from corefast.logs import get_logger, log_crash
from corefast.store.database import Unit
from corefast.wire.content import decode_content, encode_content
from corefast.wire.messages import Bundle, FetchBundle, Kind, Part, Post, PostBatch, PostResult, PostState

log = get_logger()

MAX_WAITING = 20_000
"""Accepted messages that the relay does not have; more are refused, so that memory stays bounded."""

RETRY_MS = 1_000
"""Before a refused post or a busy relay is tried again."""

MAX_WAIT_MS = 60_000
"""The longest that a relay may tell us to wait before we ask again."""

FREE_CHANGES = 2
"""So often in a row the list of devices may become another one before we wait each time: a relay could have us run."""

_FINAL_CODES = ("number.unknown", "number.invalid")
"""Answers of the relay after which a message fails; all others are tried again."""

_FINAL_STATES = (PostState.STORED, PostState.DELIVERED, PostState.UNKNOWN)
"""All others, those of a later release among them, mean that a post is made again."""

_LAST_MS = 2**52
"""What a relay says of a later time is not stored."""

_LANE_BATCH = 64
_POST_BYTES = 262_144
"""Ciphertext of one PostBatch; a quarter of the largest message of a link."""


class Relay(Protocol):
    """What sending needs of the connection."""

    async def call(self, message: Any) -> Any:
        """Call the relay, waiting for it as long as it takes; raises `RemoteRefused`, `LinkLost`, `CallTimeout`."""

    def notify(self, message: Any) -> None:
        """Send a one-way message; dropped while the relay is away."""


class Lane:
    """The messages to one recipient that are not encrypted yet, in order."""

    def __init__(self) -> None:
        self.waiting: deque[OutboxRow] = deque()
        self.returned: list[OutboxRow] = []
        """Messages that the relay gave back, to be encrypted anew."""
        self.task: asyncio.Task[None] | None = None
        self.needs_bundle = False
        """The relay said that the list of devices is another one."""

    def take_back(self) -> None:
        """Put what the relay gave back in its place, before all that was accepted later."""
        if self.returned:
            self.waiting = deque(sorted([*self.returned, *self.waiting], key=lambda row: row.seq))
            self.returned = []


class Sending:
    """Takes accepted messages to the relay."""

    def __init__(
        self, profile: Profile, relay: Relay, report: Callable[[Sequence[StatusChanged | Limited]], None]
    ) -> None:
        self._profile = profile
        self._relay = relay
        self._report = report
        self._pace = Pace(self._post, lambda wait_ms: report([Limited(wait_ms)]))
        self._lanes: dict[str, Lane] = {}
        self._posted: dict[bytes, OutboxRow] = {}
        self._changes: dict[str, int] = {}
        """How often a number's list of devices became another one since the relay took something for it."""
        self._count = 0
        self._room = asyncio.Event()
        self._is_closed = False

    async def resume(self) -> None:
        """Take up what an earlier run left."""
        after = 0
        while rows := await self._profile.outbox.open_rows(after, 1_000):
            for row in rows:
                after = row.seq
                self._count += 1
                if row.parts is None:
                    self._lane(row.recipient).waiting.append(row)
                else:
                    self._posted[row.id] = row
        for number in list(self._lanes):
            self._wake(number)

    def check_room(self, count: int) -> None:
        """Raise `Overloaded` where *count* more messages are too many."""
        if self._count + count > MAX_WAITING:
            raise Overloaded(f"{MAX_WAITING} messages wait for the relay already")

    def add(self, rows: Sequence[OutboxRow]) -> None:
        """Send *rows*, which are committed as accepted."""
        self._count += len(rows)
        for row in rows:
            self._lane(row.recipient).waiting.append(row)
            self._wake(row.recipient)

    def has_posted(self, number: str) -> bool:
        """Tell whether ciphertexts for *number* are without a result."""
        return any(row.recipient == number for row in self._posted.values())

    def resend(self) -> None:
        """Post all ciphertexts whose fate is unknown; their ids make a repeat harmless."""
        self._pace.send(sorted(self._posted.values(), key=lambda row: row.seq))

    async def take_results(self, results: Sequence[PostResult]) -> None:
        """Store what became of posts; what the relay did not take goes on its way again."""
        unit = Unit()
        progress = Progress(self._profile.outbox, unit)
        settled: list[OutboxRow] = []
        limited: list[OutboxRow] = []
        wait_ms = 0
        for result in results:
            row = self._posted.get(result.id)
            if row is None:
                continue
            if result.state == PostState.DEVICES_CHANGED:
                self._encrypt_again(row)
            elif result.state not in _FINAL_STATES:
                if result.state == PostState.REFUSED and result.retry_after_ms > 0:
                    limited.append(row)
                    wait_ms = max(wait_ms, min(result.retry_after_ms, MAX_WAIT_MS))
                else:
                    asyncio.get_running_loop().call_later(RETRY_MS / 1_000, self._pace.send, [row])
            else:
                _note(progress, result)
                settled.append(row)
                self._changes.pop(row.recipient, None)
        if limited:
            self._pace.hold(limited, wait_ms)
        if not settled:
            return
        returned = await self._profile.database.commit(unit)
        self._settle(settled)
        self._report(progress.events(returned))

    def drop(self, ids: Sequence[bytes]) -> None:
        """Forget messages that are stored as failed."""
        if not ids:
            return
        gone = set(ids)
        self._settle([row for row in self._posted.values() if row.id in gone])
        for lane in self._lanes.values():
            before = len(lane.waiting) + len(lane.returned)
            lane.waiting = deque(row for row in lane.waiting if row.id not in gone)
            lane.returned = [row for row in lane.returned if row.id not in gone]
            self._count -= before - len(lane.waiting) - len(lane.returned)

    async def close(self) -> None:
        """Stop all lanes; what they hold is in the store."""
        self._is_closed = True
        self._pace.close()
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ── lanes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lane(self, number: str) -> Lane:
        return self._lanes.setdefault(number, Lane())

    def _wake(self, number: str) -> None:
        lane = self._lane(number)
        if lane.task is None and not self._is_closed:
            lane.task = asyncio.create_task(self._run(number, lane))

    async def _run(self, number: str, lane: Lane) -> None:
        """Encrypt and post what waits in *lane*, until nothing does."""
        while lane.waiting or lane.returned:
            await self._wait_for_room()
            if lane.needs_bundle:
                await self._wait_for_results(number)
            lane.take_back()
            damaged = [row for row in lane.waiting if not row.content]
            if damaged:
                await self._fail(lane, damaged, SealBroken("a stored message is damaged"))
                continue
            try:
                await self._advance(number, lane)
            except RemoteRefused as error:
                if error.code in _FINAL_CODES:
                    await self._fail(lane, list(lane.waiting), error)
                else:
                    await asyncio.sleep(max(error.retry_after_ms, RETRY_MS) / 1_000)
            except (PeerError, IdentityUnacknowledged) as error:
                await self._fail(lane, list(lane.waiting), error)
            except (BusyError, StoreError) as error:
                log.warning("lane.waits", code=error.code)
                await asyncio.sleep(RETRY_MS / 1_000)
            except Exception as error:
                log_crash(log, "lane.crashed")
                await self._fail(lane, list(lane.waiting), error)
        del self._lanes[number]

    async def _advance(self, number: str, lane: Lane) -> None:
        """Encrypt and post the next messages of the lane, with the peer's bundle first where it is needed."""
        async with self._profile.directory.turn:
            known = await self._profile.directory.load(number)
            is_reachable = bool(known.reachable_devices())
        bundle: Bundle | None = None
        if lane.needs_bundle or not is_reachable:
            bundle = await self._relay.call(FetchBundle(number))
            if not bundle.devices:
                raise RemoteRefused("number.unknown")
            if lane.needs_bundle:
                await self._slow_down(number, is_same=bundle.devices_version == known.devices_version)
        encrypted = await self._encrypt(number, lane, bundle)
        if bundle is not None:
            lane.needs_bundle = False
        for row in encrypted:
            lane.waiting.popleft()
            self._posted[row.id] = row
        self._pace.send(encrypted)

    async def _slow_down(self, number: str, *, is_same: bool) -> None:
        """Wait where the list of devices is not another one, or has become another one too often."""
        changes = self._changes[number] = self._changes.get(number, 0) + 1
        if is_same or changes > FREE_CHANGES:
            await asyncio.sleep(RETRY_MS / 1_000)

    async def _encrypt(self, number: str, lane: Lane, bundle: Bundle | None) -> list[OutboxRow]:
        """Return the next rows with ciphertexts that are stored together with the sessions that made them."""
        profile = self._profile
        unit = Unit()
        progress = Progress(profile.outbox, unit)
        encrypted = []
        async with profile.turn():
            peer = await profile.directory.load(number)
            if bundle is not None and take_bundle(profile, unit, progress, peer, bundle) is Trust.CHANGED:
                profile.directory.save(unit, peer)
                told = progress.events(await profile.database.commit(unit))
                self.drop(progress.dropped)
                self._report(told)
                return []
            if profile.bars(peer):
                raise IdentityUnacknowledged("the peer's identity key changed, and the new one is not accepted")
            lane.take_back()
            rows = list(lane.waiting)[:_LANE_BATCH]
            correspondents = {device: peer.use(device) for device in peer.reachable_devices()}
            version = peer.devices_version or FIRST_VERSION
            mark = identity_mark(peer.identity) if peer.identity else None
            groups = {row.group: await profile.groups.load(row.group) for row in rows if row.group is not None}
            for row in rows:
                if row.group is None:
                    parts = fan_out(row.content, correspondents, profile.random)
                else:
                    parts = say(profile, groups[row.group], row, correspondents, version)
                profile.outbox.save_parts(unit, row.id, version, parts, mark)
                encrypted.append(row._replace(devices_version=version, parts=parts))
            profile.directory.save(unit, peer)
            for known in groups.values():
                profile.groups.save(unit, known)
            await profile.commit_encrypted(unit)
        return encrypted

    async def _fail(self, lane: Lane, rows: list[OutboxRow], error: Exception) -> None:
        """Fail *rows*, which wait in *lane*."""
        unit = Unit()
        progress = Progress(self._profile.outbox, unit)
        code = error.code if isinstance(error, CorefastError) else CorefastError.code
        for row in rows:
            progress.failed(row.id, self._profile.clock(), code)
        try:
            returned = await self._profile.database.commit(unit)
        except (BusyError, StoreError):
            await asyncio.sleep(RETRY_MS / 1_000)
            return
        failed = {row.id for row in rows}
        lane.waiting = deque(row for row in lane.waiting if row.id not in failed)
        self._count -= len(rows)
        self._report(progress.events(returned))

    # ── posts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _post(self, rows: Sequence[OutboxRow]) -> None:
        commit_seq = self._profile.account.commit_seq
        batch: list[Post] = []
        size = 0
        for row in rows:
            if row.id not in self._posted or row.parts is None:
                continue
            batch.append(Post(row.id, row.recipient, row.devices_version, row.parts))
            size += sum(len(part.body) for part in row.parts)
            if size >= _POST_BYTES:
                self._relay.notify(PostBatch(commit_seq, batch))
                batch, size = [], 0
        if batch:
            self._relay.notify(PostBatch(commit_seq, batch))

    def _encrypt_again(self, row: OutboxRow) -> None:
        """Put *row* back to its place in its lane; the stored ciphertext is replaced together with the session."""
        del self._posted[row.id]
        lane = self._lane(row.recipient)
        lane.needs_bundle = True
        lane.returned.append(row._replace(parts=None))
        self._room.set()
        self._wake(row.recipient)

    def _settle(self, rows: Sequence[OutboxRow]) -> None:
        for row in rows:
            if self._posted.pop(row.id, None) is not None:
                self._count -= 1
        self._room.set()

    async def _wait_for_room(self) -> None:
        while len(self._posted) >= MAX_UNANSWERED_POSTS:
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), RETRY_MS / 1_000)

    async def _wait_for_results(self, number: str) -> None:
        """Let all come back that was posted for an older list of devices: what is later must not overtake it."""
        while self.has_posted(number):
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), RETRY_MS / 1_000)


def take_bundle(
    profile: Profile, unit: Unit, progress: Progress, peer: KnownPeer, bundle: Bundle, renew: Collection[int] = ()
) -> Trust:
    """Bring the peer's devices in line with the relay's list: a session for each, a new one for those to *renew*."""
    check_devices(bundle)
    if peer.number == profile.account.number and bundle.identity != profile.own.identity.public:
        raise BundleInvalid("the relay names another identity for our own devices")
    trust = check_identity(peer.identity, bundle.identity)
    if trust is Trust.CHANGED:
        put_identity_news(profile, unit, progress, peer.number)
    peer.see_identity(bundle.identity)
    for device in set(peer.devices) - {each.device for each in bundle.devices}:
        profile.directory.delete_session(unit, peer, device)
        profile.groups.forget_device(unit, peer.number, device)
    for each in bundle.devices:
        correspondent = peer.use(each.device)
        if each.device in renew or not correspondent.has_session:
            correspondent.start(profile.own, bundle_of(bundle, each), profile.random)
    peer.set_devices(bundle.devices_version)
    return trust


def say(
    profile: Profile, known: KnownGroup, row: OutboxRow, correspondents: Mapping[int, Correspondent], version: int
) -> list[Part]:
    """Return a message in a group for the devices of one member, those of list *version*.

    Under our sender key where all of them have it; else it brings them that key.
    """
    if row.cipher is not None and known.reaches(row.recipient, row.cipher, version):
        return [Part(device, Kind.SENDER_KEY, row.cipher.body) for device in sorted(correspondents)]
    content = decode_content(row.content)
    tag = known.tag(profile.account.number, row.recipient, content.body, profile.random, version)
    content = msgspec.structs.replace(content, group=tag)
    return fan_out(encode_content(content), correspondents, profile.random)


def _note(progress: Progress, result: PostResult) -> None:
    at_ms = min(max(result.at_ms, 0), _LAST_MS)
    if result.state == PostState.STORED:
        progress.sent(result.id, None, at_ms)
    elif result.state == PostState.DELIVERED:
        progress.delivered(result.id, None, at_ms)
    else:
        progress.failed(result.id, at_ms, "number.unknown")
