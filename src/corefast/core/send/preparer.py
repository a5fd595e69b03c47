"""Makes sessions for lanes that have none and encrypts what waited there."""

import asyncio
from collections.abc import Collection

from corefast.core.context import Context
from corefast.core.group.letter import Letter, open_letters
from corefast.core.group.ties import forget_devices
from corefast.core.identity import forget_downgrade, is_barred, see_downgrade, see_identity
from corefast.core.send.lane import Entry, Lane, Lanes, Phase
from corefast.core.send.outbox import Outbox, encode_post
from corefast.core.send.status import (
    DAMAGED,
    EXPIRED,
    KEY_CHANGED,
    KEY_UNACKNOWLEDGED,
    KEYS_UNUSABLE,
    RECEIVER_INCAPABLE,
    Statuses,
)
from corefast.core.store.messages import Encrypted, WaitingBody
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.fanout import bundle_of, check_devices, fan_out
from corefast.endpoint.resend import identity_mark
from corefast.errors import BundleDowngraded, CorefastError, LinkLost, NumberUnknown, PeerError, RemoteRefused
from corefast.limits import MESSAGE_TTL_MS
from corefast.logs import get_logger
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.content import encode_content
from corefast.wire.messages import Bundle, FetchBundle, Post

log = get_logger()

MAX_FETCHES = 64
"""Bundles asked for at a time."""

_CHUNK = 64
"""Waiting messages encrypted by one unit: one snapshot serves them all."""

_FAIL_CHUNK = 512
"""Waiting messages failed by one unit."""

_FIRST_RETRY_MS, _LAST_RETRY_MS = 500, 60_000


class Preparer:
    """Takes dry lanes to hot ones while the relay is there."""

    def __init__(self, context: Context, lanes: Lanes, outbox: Outbox, statuses: Statuses) -> None:
        self._context = context
        self._lanes = lanes
        self._outbox = outbox
        self._statuses = statuses
        self._peer: Peer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetches = asyncio.Semaphore(MAX_FETCHES)
        lanes.listeners.append(self.wake)

    def attached(self, peer: Peer) -> None:
        self._peer = peer
        for lane in self._lanes.all():
            lane.failures = 0
            self.wake(lane)

    def lost(self) -> None:
        self._peer = None

    def wake(self, lane: Lane) -> None:
        """Begin with the lane if it is dry and something waits.

        When the device list changed, all that was posted has to come back first, or it would be overtaken.
        """
        if self._peer is None or not lane.waiting or lane.is_blocked:
            return
        if not lane.is_loaded:
            if lane.phase is Phase.COLD:
                self._lanes.when_loaded(lane, lambda error: self._later(lane) if error else self.wake(lane))
            return
        if lane.phase is Phase.DRY and not (lane.has_posts and not lane.devices_version):
            lane.phase = Phase.PREPARING
            task = asyncio.get_running_loop().create_task(self._prepare(lane, self._peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _prepare(self, lane: Lane, peer: Peer) -> None:
        generation = lane.generation
        try:
            await self._fail_unmeant(lane)
            if lane.waiting and lane.generation == generation:
                bundle = None if lane.devices_version else await self.fetch(lane.number, peer)
                await self._encrypt_waiting(lane, bundle)
            lane.failures = 0
        except CorefastError as error:
            await self._refused(lane, error)
        except Exception:
            log.exception("a lane could not be prepared")
            self._lanes.spoil(lane)
            self._later(lane)
        if lane.phase in (Phase.PREPARING, Phase.TURNING) and lane.generation == generation:
            is_ready = lane.devices_version and not lane.waiting and not lane.storing
            lane.phase = Phase.HOT if is_ready else Phase.DRY
            self._lanes.release(lane)
        self.wake(lane)

    async def fetch(self, number: str, peer: Peer) -> Bundle:
        """Return the peer's bundle; raise `NumberUnknown` and what the relay refuses."""
        async with self._fetches:
            bundle: Bundle = await peer.call(FetchBundle(number))
        if not bundle.devices:
            raise NumberUnknown("the number has no device")
        return bundle

    async def _refused(self, lane: Lane, error: CorefastError) -> None:
        if error.code == NumberUnknown.code:
            await self._fail_rows(lane, list(lane.waiting), RECEIVER_INCAPABLE)
            return
        if isinstance(error, PeerError):
            self._lanes.spoil(lane)  # the bundle may have changed half of the sessions
        if not isinstance(error, LinkLost):
            log.warning("no session could be made", code=error.code)
        self._later(lane, getattr(error, "retry_after_ms", 0) if isinstance(error, RemoteRefused) else 0)
        if isinstance(error, PeerError):
            await self._report_bad_keys(lane, error)

    async def _report_bad_keys(self, lane: Lane, error: PeerError) -> None:
        """Tell once of a downgrade; fail what has waited too long for keys that can be used."""
        context = self._context
        try:
            if isinstance(error, BundleDowngraded):
                await self._lanes.loaded(lane)
                unit = Unit()
                if see_downgrade(context, unit, lane):
                    put_peer(context, unit, lane)
                    await self._commit(unit, lane)
            overdue = await context.messages.overdue(lane.waiting, context.clock() - MESSAGE_TTL_MS)
            await self._fail_rows(lane, overdue, KEYS_UNUSABLE)
        except CorefastError as failure:
            log.warning("bad keys of a peer could not be noted", code=failure.code)

    def _later(self, lane: Lane, delay_ms: int = 0) -> None:
        lane.failures += 1
        self._lanes.block(lane, max(delay_ms, min(_FIRST_RETRY_MS << min(lane.failures - 1, 10), _LAST_RETRY_MS)))

    async def _encrypt_waiting(self, lane: Lane, bundle: Bundle | None) -> None:
        """Encrypt what waits, in order; returns early when the lane went stale or the device list changed again."""
        context, generation = self._context, lane.generation
        while await self._has_more(lane) and lane.generation == generation:
            if self._is_unmeant(lane):
                await self._fail_unmeant(lane)
                continue
            bodies = await context.messages.load_bodies(lane.waiting[:_CHUNK])
            bodies, letters = await open_letters(context, bodies)
            if lane.generation != generation or not (bundle or lane.devices_version):
                return
            unit = Unit()
            if bundle is not None:
                self.take_bundle(unit, lane, bundle)
                bundle = None
                if self._is_unmeant(lane):
                    bodies = []
            now_ms = context.clock()
            late = [body.message for body in bodies if 0 < body.expires_ms <= now_ms]
            damaged = [body.message for body in bodies if body.plaintext is None and body.message not in late]
            good = [body for body in bodies if body.message not in late and body.plaintext is not None]
            entries = [self._encrypt(unit, lane, body, letters.get(body.message)) for body in good]
            self._fail(unit, lane, late, EXPIRED)
            self._fail(unit, lane, damaged, DAMAGED)
            context.peers.put_sessions(unit, lane.peer, lane.devices, lane.registration_ids)
            if not await self._commit(unit, lane):
                return
            self._forget_waiting(lane, late + damaged)
            if lane.generation != generation:
                return
            done = {body.message for body in bodies}
            lane.waiting = [row for row in lane.waiting if row not in done]
            for entry in entries:
                self._outbox.add(entry)

    async def _has_more(self, lane: Lane) -> bool:
        """Tell whether messages wait; towards the end hold new ones, so that there is an end."""
        if lane.phase is Phase.PREPARING and len(lane.waiting) <= _CHUNK:
            lane.phase = Phase.TURNING
        if lane.phase is Phase.TURNING and lane.storing:
            lane.settled = asyncio.get_running_loop().create_future()
            await lane.settled
        return bool(lane.waiting)

    def _encrypt(self, unit: Unit, lane: Lane, body: WaitingBody, letter: Letter | None) -> Entry:
        context, row = self._context, body.message
        assert body.plaintext is not None, "a damaged message is not encrypted"
        plaintext = body.plaintext if letter is None else encode_content(letter.address(context, unit, lane))
        parts = fan_out(plaintext, lane.devices, context.random)
        post = Post(context.ids.message_id(row), lane.number, lane.devices_version, parts, body.expires_ms)
        identity = identity_mark(lane.identity) if lane.identity else None
        context.messages.put_post(unit, row, Encrypted(encode_post(post), identity))
        return Entry(row, lane, post)

    def take_bundle(self, unit: Unit, lane: Lane, bundle: Bundle, renew: Collection[int] = ()) -> None:
        """Make the lane's sessions those of *bundle*, new ones for the devices to *renew*.

        Raises `BundleInvalid` and changes nothing in the database. Under an identity that is to be acknowledged first,
        there are none.
        """
        context = self._context
        check_devices(bundle)
        see_identity(context, unit, lane, bundle.identity)
        if is_barred(context, lane):
            put_peer(context, unit, lane)
            return
        devices: dict[int, Correspondent] = {}
        gone = set(lane.devices)
        for each in bundle.devices:
            correspondent = lane.devices.get(each.device) or Correspondent.new()
            is_same = lane.registration_ids.get(each.device, each.registration_id) in (0, each.registration_id)
            if not (correspondent.has_session and is_same) or each.device in renew:
                correspondent.start(context.own, bundle_of(bundle, each), context.random, lane.standing.pin)
            devices[each.device] = correspondent
            if is_same:
                gone.discard(each.device)
        for device in lane.devices.keys() - devices.keys():
            context.peers.delete_session(unit, lane.peer, device)
        forget_devices(context, unit, lane, gone)
        lane.devices = devices
        lane.registration_ids = {each.device: each.registration_id for each in bundle.devices}
        lane.devices_version = bundle.devices_version
        forget_downgrade(lane)
        put_peer(context, unit, lane)

    def _is_unmeant(self, lane: Lane) -> bool:
        return is_barred(self._context, lane) or any(row <= lane.standing.after for row in lane.waiting[:1])

    async def _fail_unmeant(self, lane: Lane) -> None:
        """Fail what may not be written to the identity that the peer has now."""
        if is_barred(self._context, lane):
            await self._fail_rows(lane, list(lane.waiting), KEY_UNACKNOWLEDGED)
            return
        await self._fail_rows(lane, [row for row in lane.waiting if row <= lane.standing.after], KEY_CHANGED)

    async def _fail_rows(self, lane: Lane, rows: list[int], code: int) -> None:
        for start in range(0, len(rows), _FAIL_CHUNK):
            chunk = rows[start : start + _FAIL_CHUNK]
            unit = Unit()
            self._fail(unit, lane, chunk, code)
            if not await self._commit(unit, lane):
                return
            self._forget_waiting(lane, chunk)

    def _forget_waiting(self, lane: Lane, rows: list[int]) -> None:
        """Let go of rows that have ended; one that two tasks have ended counts once."""
        gone, before = set(rows), len(lane.waiting)
        lane.waiting = [row for row in lane.waiting if row not in gone]
        self._lanes.count(lane, len(lane.waiting) - before)

    def _fail(self, unit: Unit, lane: Lane, rows: list[int], code: int) -> None:
        for row in rows:
            self._statuses.ended(unit, row, lane.peer, self._context.clock(), code)
            self._context.messages.take(unit, row)

    async def _commit(self, unit: Unit, lane: Lane) -> bool:
        """Commit; tell whether it succeeded."""
        try:
            await self._lanes.commit(unit, lane)
        except CorefastError as error:
            log.warning("a unit of waiting messages failed", code=error.code)
            self._later(lane)
            return False
        self._context.bell.ring()
        return True


def put_peer(context: Context, unit: Unit, lane: Lane) -> None:
    """Let *unit* store the lane's peer, without its sessions."""
    context.peers.put(unit, lane.peer, lane.number, lane.devices_version, lane.identity, lane.standing)
    lane.is_new = False
