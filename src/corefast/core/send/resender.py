"""Asks peers for messages that we could not decrypt, and resends what they could not (docs/protocol.md).

Works through what `Repair` has committed, one task a peer. Whatever ends a round too early (a crash, a lost link, a
full disk) leaves the rows as they are, and the next round begins with them.
"""

import asyncio
from collections.abc import Collection, Mapping

from corefast import metrics
from corefast.core.context import Context
from corefast.core.group.book import Chain
from corefast.core.group.letter import Letter
from corefast.core.identity import is_barred
from corefast.core.send.lane import Lane, Lanes, Phase
from corefast.core.send.preparer import Preparer
from corefast.core.store.resend import Debt
from corefast.endpoint.fanout import fan_out
from corefast.endpoint.resend import (
    HOUR_MS,
    ID_BYTES,
    RESENDS_AT_ONCE,
    Ask,
    Budget,
    Outcome,
    identity_mark,
    refusal,
    resend_from,
    retry_ms,
)
from corefast.errors import CallTimeout, CorefastError, LinkLost, NumberUnknown, RemoteRefused
from corefast.limits import CALL_TIMEOUT_MS
from corefast.logs import get_logger
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.content import Content, ResendRequest, encode_content
from corefast.wire.messages import Bundle, Post, PostBatch, PostResult, PostState

log = get_logger()

_BUSY_MS = 200
"""Before a lane is looked at again whose sessions are being made."""

_NO_CHAINS: Mapping[bytes, Chain] = {}

Again = tuple[bytes, Content]


def count(outcome: Outcome, times: int = 1) -> None:
    """Count what became of a message that could not be decrypted."""
    metrics.core_resend.labels(outcome).inc(times)


class Resender:
    """Works while the relay is there; `wake` after each commit that made something due."""

    def __init__(self, context: Context, lanes: Lanes, preparer: Preparer) -> None:
        self._context = context
        self._lanes = lanes
        self._preparer = preparer
        self._peer: Peer | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._results: dict[bytes, asyncio.Future[PostState | None]] = {}

    def attached(self, peer: Peer) -> None:
        self._peer = peer
        self._failures.clear()
        for number in self._context.book.busy():
            self.wake(number)

    def lost(self) -> None:
        """What has no result is encrypted and posted anew; its id makes that harmless."""
        self._peer = None
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for result in self._results.values():
            if not result.done():
                result.set_result(None)

    def wake(self, number: str) -> None:
        """Begin with what is due to a peer, unless that is being done."""
        if self._peer is None or number in self._tasks or not self._context.book.life_ms:
            return
        if (timer := self._timers.pop(number, None)) is not None:
            timer.cancel()
        self._tasks[number] = asyncio.get_running_loop().create_task(self._run(number))

    def answered(self, result: PostResult) -> None:
        """Take the relay's result for a post of ours; ignore it for any other."""
        future = self._results.get(result.id)
        if future is not None and not future.done():
            future.set_result(PostState(result.state) if result.state in list(PostState) else None)

    async def sweep(self, now_ms: int) -> None:
        """Give up on what nobody answered in time."""
        context = self._context
        unit = Unit()
        for ask in context.book.old(now_ms):
            self._drop(unit, ask, Outcome.LOST)
        context.resends.sweep(unit, now_ms - context.book.life_ms, now_ms - 2 * HOUR_MS)
        for number, budget in list(context.book.budgets.items()):
            if max(budget.window_ms, budget.session_ms) < now_ms - 2 * HOUR_MS:
                del context.book.budgets[number]
        await context.database.commit(unit)

    async def _run(self, number: str) -> None:
        delay_ms: int | None = None
        try:
            with self._lanes.hold(number) as lane:
                while self._peer is not None and (delay_ms := await self._step(lane, self._peer)) == 0:
                    self._failures.pop(number, None)
        except CorefastError as error:
            if self._peer is not None:  # else we are at the end, or the next link begins anew
                log.warning("a message could not be asked for or resent", code=error.code)
            delay_ms = max(self._backoff(number), getattr(error, "retry_after_ms", 0))
        except Exception:
            log.exception("a message could not be asked for or resent")
            delay_ms = self._backoff(number)
        finally:
            del self._tasks[number]
        if delay_ms is not None and self._peer is not None:
            loop = asyncio.get_running_loop()
            self._timers[number] = loop.call_later(delay_ms / 1_000, self.wake, number)

    def _backoff(self, number: str) -> int:
        failures = self._failures[number] = self._failures.get(number, 0) + 1
        return retry_ms(failures)

    async def _step(self, lane: Lane, peer: Peer) -> int | None:
        """Do one thing that is due; return 0 where there may be more, a time to wait, None at the end."""
        book = self._context.book
        await self._lanes.loaded(lane)
        if lane.phase not in (Phase.HOT, Phase.DRY):
            return _BUSY_MS
        if lane.number in book.debtors:
            return await self._repay(lane, peer)
        asks = book.due(lane.number)
        if not asks:
            return None
        now_ms = self._context.clock()
        budget = book.budgets.get(lane.number, Budget())
        return budget.wait_ms(now_ms) or await self._ask(lane, peer, asks, budget)

    # ── what we could not read ─────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, lane: Lane, peer: Peer, asks: list[Ask], budget: Budget) -> int:
        """Send one request for all *asks*, in a session of its own where that is allowed."""
        context = self._context
        now_ms = context.clock()
        is_renewed = budget.wants_session(now_ms)
        bundle = None
        if is_renewed or not self._is_ready(lane):
            try:
                bundle = await self._preparer.fetch(lane.number, peer)
            except (RemoteRefused, NumberUnknown) as error:
                if error.code != NumberUnknown.code:
                    raise
                return await self._give_up(asks, Outcome.LOST)
        if bundle is None and not self._is_ready(lane) or bundle is not None and not self._may_take(lane, bundle):
            return _BUSY_MS
        asks = [ask for ask in asks if context.book.has(ask)]
        identity = self._identity(lane, bundle)
        mark = b"" if identity is None else identity_mark(identity)
        if strangers := [ask for ask in asks if identity is None or ask.identity not in (b"", mark)]:
            return await self._give_up(strangers, Outcome.STRANGER)
        if not asks:
            return 0
        unit = Unit()
        missing = ResendRequest([ask.id for ask in asks])
        request = Content(context.random(ID_BYTES), now_ms, missing, author=context.number)
        renew = {ask.device for ask in asks} if is_renewed else set()
        posts = self._encrypt(unit, lane, {request.id: request}, bundle, renew)
        spent = budget.spend(now_ms, has_new_session=is_renewed)
        context.resends.put_budget(unit, lane.peer, spent)
        for ask in asks:
            ask.identity = mark
            context.resends.set_ask(unit, ask.row, mark, is_due=True)
        await self._commit(unit, lane)
        context.book.budgets[lane.number] = spent
        [state] = await self._post(posts)
        return await self._asked(lane, asks, state)

    async def _asked(self, lane: Lane, asks: list[Ask], state: PostState | None) -> int:
        context = self._context
        if not self._is_taken(lane, state):
            return 0
        unit = Unit()
        for ask in asks:
            ask.is_due = False
            context.resends.set_ask(unit, ask.row, ask.identity, is_due=False)
        await context.database.commit(unit)
        count(Outcome.ASKED, len(asks))
        return 0

    async def _give_up(self, asks: list[Ask], outcome: Outcome) -> int:
        unit = Unit()
        for ask in asks:
            self._drop(unit, ask, outcome)
        await self._context.database.commit(unit)
        return 0

    def _drop(self, unit: Unit, ask: Ask, outcome: Outcome) -> None:
        self._context.book.remove(ask)
        self._context.resends.delete_ask(unit, ask.row)
        count(outcome)

    # ── what a peer could not read ─────────────────────────────────────────────────────────────────────────────────

    async def _repay(self, lane: Lane, peer: Peer) -> int:
        """Resend the next messages that the peer's devices ask for."""
        context = self._context
        context.book.debtors.discard(lane.number)  # before the look: who comes during it is a debtor again
        try:
            debts = await context.resends.load_debts(lane.peer, RESENDS_AT_ONCE)
        except CorefastError:
            context.book.debtors.add(lane.number)
            raise
        if not debts:
            return 0
        context.book.debtors.add(lane.number)
        drawn = ((debt, resend_from(debt.plaintext, debt.sent, context.ids.message_id(debt.message))) for debt in debts)
        resends = {debt: again for debt, again in drawn if again is not None}
        chains = await context.groups.handed_out(content for _, content in resends.values())
        bundle = None if self._is_ready(lane) else await self._preparer.fetch(lane.number, peer)
        if self._is_ready(lane):
            bundle = None
        elif bundle is None or not self._may_take(lane, bundle):
            return _BUSY_MS
        unit = Unit()
        granted = self._grant(unit, lane, (debts, resends), self._identity(lane, bundle))
        contents = dict(resends[debt] for debt in granted)  # one post for all devices that ask for it
        posts = self._encrypt(unit, lane, contents, bundle, chains=chains) if granted else []
        await self._commit(unit, lane)
        states = dict(zip(contents, await self._post(posts), strict=True))
        return await self._repaid(lane, [(debt, states[resends[debt][0]]) for debt in granted])

    def _grant(
        self, unit: Unit, lane: Lane, asked: tuple[list[Debt], dict[Debt, Again]], identity: bytes | None
    ) -> list[Debt]:
        """Return what may be resent and strike out the rest; each outcome is counted and none is told."""
        context = self._context
        debts, resends = asked
        granted = []
        for debt in debts:
            outcome = refusal(debt.sent, identity, context.clock(), context.book.life_ms)
            if outcome is None and debt in resends:
                granted.append(debt)
                continue
            count(outcome or Outcome.DAMAGED)
            if outcome is Outcome.UNKNOWN:
                context.resends.forgive(unit, lane.peer, debt)
            else:
                context.resends.settle(unit, lane.peer, debt)
        return granted

    async def _repaid(self, lane: Lane, results: list[tuple[Debt, PostState | None]]) -> int:
        unit = Unit()
        done = [debt for debt, state in results if self._is_taken(lane, state)]
        for debt in done:
            self._context.resends.settle(unit, lane.peer, debt)
        await self._context.database.commit(unit)
        count(Outcome.RESENT, len(done))
        return 0

    # ── both ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _is_ready(self, lane: Lane) -> bool:
        """Tell whether every device of the lane has a session."""
        return bool(lane.devices_version and lane.devices)

    def _identity(self, lane: Lane, bundle: Bundle | None) -> bytes | None:
        """Return the identity key that we write to; None where it has changed, or is to be acknowledged first."""
        if is_barred(self._context, lane):
            return None
        if bundle is None:
            return lane.identity
        return bundle.identity if lane.identity in (None, bundle.identity) else None

    def _may_take(self, lane: Lane, bundle: Bundle) -> bool:
        """Tell whether the lane may have the sessions of *bundle* now.

        Not while they are being made by others, and no new list of devices while messages for the old one are under
        way: those come back and must not be overtaken.
        """
        if lane.phase not in (Phase.HOT, Phase.DRY):
            return False
        return bundle.devices_version == lane.devices_version or not lane.has_posts

    def _encrypt(
        self,
        unit: Unit,
        lane: Lane,
        contents: dict[bytes, Content],
        bundle: Bundle | None,
        renew: Collection[int] = (),
        *,
        chains: Mapping[bytes, Chain] = _NO_CHAINS,
    ) -> list[Post]:
        """Encrypt for the lane's devices, as *bundle* has them where one is given; commit before anything else.

        *contents* by the ids of their envelopes; *chains* of ours, by group.
        """
        try:
            if bundle is not None:
                self._preparer.take_bundle(unit, lane, bundle, renew)
            version, devices, random = lane.devices_version, lane.devices, self._context.random
            posts = []
            for envelope_id, content in contents.items():
                if content.group is not None:
                    content = Letter(content, chains.get(content.group.id)).address(self._context, unit, lane)
                posts.append(Post(envelope_id, lane.number, version, fan_out(encode_content(content), devices, random)))
            return posts
        except Exception:
            self._lanes.spoil(lane)  # half of the sessions may have moved
            raise

    async def _commit(self, unit: Unit, lane: Lane) -> None:
        """Commit with the lane's sessions, before what they encrypted leaves; raise where that failed."""
        context = self._context
        context.peers.put_sessions(unit, lane.peer, lane.devices, lane.registration_ids)
        await self._lanes.commit(unit, lane)
        context.bell.ring()

    async def _post(self, posts: list[Post]) -> list[PostState | None]:
        """Post what is committed and return its results, None for one that did not come."""
        peer, loop = self._peer, asyncio.get_running_loop()
        if peer is None or not posts:
            return [None] * len(posts)
        for post in posts:
            self._results[post.id] = loop.create_future()
        waiting = [self._results[post.id] for post in posts]
        try:
            peer.notify(PostBatch(self._context.lease.commit_seq, posts))
            await asyncio.wait(waiting, timeout=CALL_TIMEOUT_MS / 1_000)
            return [future.result() if future.done() else None for future in waiting]
        finally:
            for post in posts:
                self._results.pop(post.id, None)

    def _is_taken(self, lane: Lane, state: PostState | None) -> bool:
        """Tell whether a post has done its work; raise where it is to be tried again after a while."""
        if state is None:
            raise LinkLost("the link ended") if self._peer is None else CallTimeout("the relay did not answer")
        if state == PostState.DEVICES_CHANGED:
            lane.outdate()
            raise RemoteRefused("devices.changed")
        if state == PostState.REFUSED:
            raise RemoteRefused("post.refused")
        return True
