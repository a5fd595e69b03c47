"""Asks peers for messages that we could not decrypt, and resends what they could not (docs/protocol.md).

Works through what `Repair` has committed, one task a peer. Whatever ends a round too early leaves the rows as they are,
and the next round begins with them.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from corefast.device.directory import FIRST_VERSION, KnownPeer
from corefast.device.profile import Profile
from corefast.device.progress import Progress
from corefast.device.repair import count
from corefast.device.sending import Relay, Sending, take_bundle
from corefast.device.store.resend import Debt
from corefast.endpoint.fanout import fan_out
from corefast.endpoint.resend import (
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
from corefast.errors import BusyError, CallTimeout, CorefastError, LinkLost, RemoteRefused
from corefast.limits import CALL_TIMEOUT_MS
from corefast.logs import get_logger, log_crash
from corefast.store.database import Unit
from corefast.wire.content import Content, ResendRequest, encode_content
from corefast.wire.messages import Bundle, FetchBundle, Post, PostBatch, PostResult, PostState

log = get_logger()

_BUSY_MS = 200
"""Before a peer is looked at again whose messages for an older list of devices are under way."""


class Resending:
    """Works while the relay is there; `wake_all` after each commit that made something due."""

    def __init__(self, profile: Profile, relay: Relay, sending: Sending) -> None:
        self._profile = profile
        self._relay = relay
        self._sending = sending
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._results: dict[bytes, asyncio.Future[PostState | None]] = {}
        self._needs_bundle: set[str] = set()
        """Peers of whom the relay said that the list of devices is another one."""
        self._is_closed = False

    def resume(self) -> None:
        """Take up what is due to anybody: the relay is there."""
        self._failures.clear()
        self.wake_all(self._profile.book.busy())

    def wake_all(self, numbers: Iterable[str]) -> None:
        for number in numbers:
            self._wake(number)

    def lost(self) -> None:
        """The link is gone: what has no result is encrypted and posted anew; its id makes that harmless."""
        for result in self._results.values():
            if not result.done():
                result.set_result(None)

    def take_results(self, results: Sequence[PostResult]) -> None:
        """Take the relay's results for posts of ours; ignore all others."""
        for result in results:
            future = self._results.get(result.id)
            if future is not None and not future.done():
                future.set_result(PostState(result.state) if result.state in list(PostState) else None)

    async def close(self) -> None:
        """Stop; what is due is in the store."""
        self._is_closed = True
        for timer in self._timers.values():
            timer.cancel()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wake(self, number: str) -> None:
        if self._is_closed or number in self._tasks or not self._profile.book.life_ms:
            return
        if (timer := self._timers.pop(number, None)) is not None:
            timer.cancel()
        self._tasks[number] = asyncio.create_task(self._run(number))

    async def _run(self, number: str) -> None:
        delay_ms: int | None = None
        try:
            while (delay_ms := await self._step(number)) == 0:
                self._failures.pop(number, None)
        except CorefastError as error:
            if not isinstance(error, BusyError):
                log.warning("resend.waits", code=error.code)
            delay_ms = max(self._backoff(number), getattr(error, "retry_after_ms", 0))
        except Exception:
            log_crash(log, "resend.crashed")
            delay_ms = self._backoff(number)
        finally:
            del self._tasks[number]
        if delay_ms is not None and not self._is_closed:
            self._timers[number] = asyncio.get_running_loop().call_later(delay_ms / 1_000, self._wake, number)

    def _backoff(self, number: str) -> int:
        failures = self._failures[number] = self._failures.get(number, 0) + 1
        return retry_ms(failures)

    async def _step(self, number: str) -> int | None:
        """Do one thing that is due; return 0 where there may be more, a time to wait, None at the end."""
        book = self._profile.book
        if number in book.debtors:
            return await self._repay(number)
        if not book.due(number):
            return None
        budget = book.budgets.get(number, Budget())
        return budget.wait_ms(self._profile.clock()) or await self._ask(number, budget)

    # ── what we could not read ─────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, number: str, budget: Budget) -> int:
        """Send one request for all that is due, in a session of its own where that is allowed."""
        profile = self._profile
        now_ms = profile.clock()
        is_renewed = budget.wants_session(now_ms)
        try:
            bundle = await self._fetch(number, is_wanted=is_renewed)
        except RemoteRefused as error:
            if error.code != "number.unknown":
                raise
            return await self._give_up(profile.book.due(number), Outcome.LOST)
        async with profile.turn():
            peer = await profile.directory.load(number)
            asks = profile.book.due(number)
            if bundle is not None and not self._may_take(peer, bundle):
                return _BUSY_MS
            identity = self._identity(peer, bundle)
            if identity is None:
                return await self._give_up(asks, Outcome.STRANGER)
            mark = identity_mark(identity)
            strangers = [ask for ask in asks if ask.identity not in (b"", mark)]
            if strangers or not asks:
                return await self._give_up(strangers, Outcome.STRANGER)
            unit = Unit()
            missing = ResendRequest([ask.id for ask in asks])
            request = Content(profile.random(ID_BYTES), now_ms, missing, author=profile.account.number)
            renew = {ask.device for ask in asks} if is_renewed else set()
            posts = self._encrypt(unit, peer, {request.id: request}, bundle, renew)
            spent = budget.spend(now_ms, has_new_session=is_renewed)
            profile.resends.put_budget(unit, number, spent)
            for ask in asks:
                profile.resends.set_ask(unit, ask, mark, is_due=True)
            await profile.commit_encrypted(unit)
            profile.book.budgets[number] = spent
            for ask in asks:
                ask.identity = mark
        [state] = await self._post(posts)
        self._check(number, state)
        return await self._asked(asks)

    async def _asked(self, asks: Sequence[Ask]) -> int:
        unit = Unit()
        for ask in asks:
            ask.is_due = False
            self._profile.resends.set_ask(unit, ask, ask.identity, is_due=False)
        await self._profile.database.commit(unit)
        count(Outcome.ASKED, len(asks))
        return 0

    async def _give_up(self, asks: Sequence[Ask], outcome: Outcome) -> int:
        unit = Unit()
        for ask in asks:
            self._profile.book.remove(ask)
            self._profile.resends.delete_ask(unit, ask)
            count(outcome)
        await self._profile.database.commit(unit)
        return 0

    # ── what a peer could not read ─────────────────────────────────────────────────────────────────────────────────

    async def _repay(self, number: str) -> int:
        """Resend the next messages that the peer's devices ask for."""
        profile = self._profile
        debtors = profile.book.debtors
        debtors.discard(number)  # before the look: who comes during it is a debtor again
        try:
            debts = await profile.resends.load_debts(number, RESENDS_AT_ONCE)
        except CorefastError:
            debtors.add(number)
            raise
        if not debts:
            return 0
        debtors.add(number)
        bundle = await self._fetch(number, is_wanted=False)
        unit = Unit()
        async with profile.turn():
            peer = await profile.directory.load(number)
            if bundle is not None and not self._may_take(peer, bundle):
                return _BUSY_MS
            granted = self._grant(unit, debts, self._identity(peer, bundle))
            contents = {post_id: content for _, post_id, content in granted}  # one post for all that ask for it
            contents = {post_id: await self._tag(unit, content, number) for post_id, content in contents.items()}
            posts = self._encrypt(unit, peer, contents, bundle) if granted else []
            await profile.commit_encrypted(unit)
        states = dict(zip(contents, await self._post(posts), strict=True))
        unit = Unit()
        for debt, post_id, _ in granted:
            self._check(number, states[post_id])
            profile.resends.settle(unit, debt)
        await profile.database.commit(unit)
        count(Outcome.RESENT, len(granted))
        return 0

    async def _tag(self, unit: Unit, content: Content, number: str) -> Content:
        """Return what was said in a group with all that one needs to read there."""
        if content.group is None:
            return content
        profile = self._profile
        known = await profile.groups.load(content.group.id)
        tag = known.tag(profile.account.number, number, content.body, profile.random)
        profile.groups.save(unit, known)
        return msgspec.structs.replace(content, group=tag)

    def _grant(self, unit: Unit, debts: Sequence[Debt], identity: bytes | None) -> list[tuple[Debt, bytes, Content]]:
        """Return what may be resent and strike out the rest; each outcome is counted and none is told."""
        profile = self._profile
        granted = []
        for debt in debts:
            outcome = refusal(debt.sent, identity, profile.clock(), profile.book.life_ms)
            again = resend_from(debt.content, debt.sent, debt.id) if outcome is None else None
            if again is not None:
                granted.append((debt, *again))
                continue
            count(outcome or Outcome.DAMAGED)
            if outcome is Outcome.UNKNOWN:
                profile.resends.forgive(unit, debt)
            else:
                profile.resends.settle(unit, debt)
        return granted

    # ── both ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _fetch(self, number: str, *, is_wanted: bool) -> Bundle | None:
        """Return the peer's bundle where it is wanted or there is no session without it."""
        async with self._profile.directory.turn:
            peer = await self._profile.directory.load(number)
            is_reachable = bool(peer.reachable_devices())
        if is_reachable and not is_wanted and number not in self._needs_bundle:
            return None
        bundle: Bundle = await self._relay.call(FetchBundle(number))
        if not bundle.devices:
            raise RemoteRefused("number.unknown")
        self._needs_bundle.discard(number)
        return bundle

    def _identity(self, peer: KnownPeer, bundle: Bundle | None) -> bytes | None:
        """Return the identity key that we write to; None where it has changed, or is to be accepted first."""
        if self._profile.bars(peer):
            return None
        if bundle is None:
            return peer.identity
        return bundle.identity if peer.identity in (None, bundle.identity) else None

    def _may_take(self, peer: KnownPeer, bundle: Bundle) -> bool:
        """Tell whether the list of devices may move on: not while messages for the old one could be overtaken."""
        version = peer.devices_version or FIRST_VERSION
        return bundle.devices_version == version or not self._sending.has_posted(peer.number)

    def _encrypt(
        self,
        unit: Unit,
        peer: KnownPeer,
        contents: Mapping[bytes, Content],
        bundle: Bundle | None,
        renew: Iterable[int] = (),
    ) -> list[Post]:
        """Encrypt for the peer's devices, as *bundle* has them where one is given; the caller has the turn.

        *contents* are named by the ids of their posts.
        """
        profile = self._profile
        if bundle is not None:
            take_bundle(profile, unit, Progress(profile.outbox, unit), peer, bundle, set(renew))
        correspondents = {device: peer.use(device) for device in peer.reachable_devices()}
        version = peer.devices_version or FIRST_VERSION
        posts = [
            Post(post_id, peer.number, version, fan_out(encode_content(each), correspondents, profile.random))
            for post_id, each in contents.items()
        ]
        profile.directory.save(unit, peer)
        return posts

    async def _post(self, posts: Sequence[Post]) -> list[PostState | None]:
        """Post what is committed and return its results, None for one that did not come."""
        if not posts:
            return []
        loop = asyncio.get_running_loop()
        waiting = [loop.create_future() for _ in posts]
        self._results.update((post.id, future) for post, future in zip(posts, waiting, strict=True))
        try:
            self._relay.notify(PostBatch(self._profile.account.commit_seq, list(posts)))
            await asyncio.wait(waiting, timeout=CALL_TIMEOUT_MS / 1_000)
            return [future.result() if future.done() else None for future in waiting]
        finally:
            for post in posts:
                self._results.pop(post.id, None)

    def _check(self, number: str, state: PostState | None) -> None:
        """Raise where a post has not done its work and is to be tried again after a while."""
        if state is None:
            raise LinkLost("the relay did not answer")
        if state == PostState.DEVICES_CHANGED:
            self._needs_bundle.add(number)
            raise CallTimeout("the list of devices is another one")
        if state == PostState.REFUSED:
            raise CallTimeout("the relay refused a post")
