"""Phones at a real relay: what is sent arrives once, is told until it was shown, and survives."""

import asyncio
import os
import shutil
import stat

import pytest

from corefast.device import (
    Device,
    IdentityNews,
    Limited,
    MessageReceived,
    Options,
    Policy,
    Ready,
    StatusChanged,
    Stopped,
    Unreadable,
)
from corefast.device.sending import Sending
from corefast.device.store.outbox import State
from corefast.errors import (
    MessageTooLong,
    NumberInvalid,
    ParameterInvalid,
    PeerUnknown,
    RecipientIsSender,
    SetupError,
    StoreFull,
)
from corefast.link.secure import initiator_ik
from corefast.net.client import connect, format_relay_url, parse_relay_url
from corefast.wire.codec import relay_codec
from corefast.wire.messages import Attach, Kind, Part, Post, PostBatch, Register
from tests.device.world import Watched, World, run, world
from tests.endpoint.pair import End

ALICE, BOB = "99910000001", "99910000002"
CANARY = "the canary sings at noon"


def test_two_phones_talk_and_see_their_ticks(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice, name="Alice") as alice, w.device(w.bob) as bob:
            await bob.until(Ready)
            sent = await alice.device.send_text(f"+999 {w.bob[3:6]} {w.bob[6:]}", CANARY)
            [text] = await bob.until(MessageReceived)
            assert (text.sender, text.id, text.text, text.name) == (w.alice, sent, CANARY, "Alice")
            assert await bob.device.mark_read([text.id]) == 1
            assert await bob.device.mark_read([text.id]) == 0
            await alice.until(StatusChanged, status="read")
            told = [e.status for e in alice.events if isinstance(e, StatusChanged)]
            assert told == ["sent", "delivered", "read"]
            assert (await alice.device.status(sent)) == (State.READ, "")
            await bob.device.send_text(w.alice, "and back")
            assert [t.text for t in await alice.until(MessageReceived)] == ["and back"]
        for place in tmp_path.rglob("*"):
            mode = stat.S_IMODE(place.stat().st_mode)
            assert mode & 0o077 == 0, place
            assert place.is_dir() or CANARY.encode() not in place.read_bytes(), place

    old = os.umask(0o077)
    try:
        run(main)
    finally:
        os.umask(old)


def test_a_backlog_of_a_thousand_arrives_once_and_in_order_also_while_it_grows(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            async with w.device(w.bob) as bob:
                await bob.until(Ready)
            await asyncio.gather(*(alice.device.send_text(w.bob, f"{n}") for n in range(1_000)))
            await alice.until(StatusChanged, count=1_000, status="sent")
            async with w.device(w.bob) as bob:
                await bob.until(MessageReceived, count=100)
                await asyncio.gather(*(alice.device.send_text(w.bob, f"{n}") for n in range(1_000, 1_050)))
                await bob.until(MessageReceived, count=950)
                texts = [e.text for e in bob.events if isinstance(e, MessageReceived)]
                assert texts == [str(n) for n in range(1_050)]

    run(main)


def test_what_was_not_shown_is_told_again_with_the_same_id(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            async with w.device(w.bob) as bob:
                await bob.until(Ready)
                for n in range(3):
                    await alice.device.send_text(w.bob, f"{n}")
                first, _ = await bob.until(MessageReceived, count=2)
                # The reader has come back once: the first one was shown, the second is still in its hands.
            async with w.device(w.bob) as bob:
                again = await bob.until(MessageReceived, count=2)
                assert [text.text for text in again] == ["1", "2"]
                assert first.id not in {text.id for text in again}

    run(main)


def test_messages_that_the_relay_has_not_got_leave_at_the_next_start(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.bob) as bob, w.device(w.alice) as alice:
            await bob.until(Ready)
            await alice.device.send_text(w.bob, "0")
            await bob.until(MessageReceived)
        offline = await Device.open(w.home(w.alice), None, w.alice)
        ids = [await offline.send_text(w.bob, f"{n}") for n in range(1, 4)]
        assert await offline.send_text(w.bob, "1", ids[0]) == ids[0]
        await offline.close()
        async with w.device(w.alice), w.device(w.bob) as bob:
            # "0" was still in the reader's hands.
            _, *texts = await bob.until(MessageReceived, count=4)
            assert [(text.id, text.text) for text in texts] == [(ids[n], str(n + 1)) for n in range(3)]

    run(main)


def test_a_killed_relay_loses_and_doubles_nothing(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(w.alice) as alice, w.device(w.bob) as bob:
            await bob.until(Ready)
            ids = [await alice.device.send_text(w.bob, "0")]
            for n in range(1, 120):
                ids.append(await alice.device.send_text(w.bob, f"{n}"))
                if n == 40:
                    await w.restart_relay()
            await bob.until(MessageReceived, count=120)
            texts = [(e.id, e.text) for e in bob.events if isinstance(e, MessageReceived)]
            assert texts == [(ids[n], str(n)) for n in range(120)]
            await alice.until(StatusChanged, count=120, status="delivered")

    run(main)


def test_what_has_no_result_is_posted_again_before_anything_else_gets_the_link(tmp_path, relay_url, monkeypatch):
    async def main():
        w, resent, resend = World(tmp_path, relay_url), [], Sending.resend

        def watching(self):
            resent.append(self)
            resend(self)

        monkeypatch.setattr(Sending, "resend", watching)
        async with w.device(w.alice) as alice:
            while alice.device._connection.peer is None:
                await asyncio.sleep(0)
            assert resent

    run(main)


def test_a_number_that_nobody_has_fails_the_message(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            sent = await alice.device.send_text("+49 30 23125999", "hello?")
            [status] = await alice.until(StatusChanged)
            assert (status.id, status.status, status.code) == (sent, "failed", "number.unknown")
            assert await alice.device.status(sent) == (State.FAILED, "number.unknown")

    run(main)


def test_wrong_requests_are_refused_and_change_nothing(tmp_path):
    async def main():
        device = await Device.open(tmp_path / "home", None, ALICE)
        for error, to, text in (
            (NumberInvalid, "12", "hello"),
            (RecipientIsSender, ALICE, "hello"),
            (ParameterInvalid, BOB, ""),
            (MessageTooLong, BOB, "x" * 4_097),
        ):
            with pytest.raises(error):
                await device.send_text(to, text)
        with pytest.raises(ParameterInvalid):
            await device.send_text(BOB, "hello", b"short")
        assert await device.mark_read([bytes(16)]) == 0
        assert await device.status(bytes(16)) is None
        with pytest.raises(SetupError, match="another number"):
            await device.close()
            await Device.open(tmp_path / "home", None, BOB)

    run(main)


class Stranger:
    """A client that registers and posts whatever it likes."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.end = End()
        self.peer = None

    def received(self, peer, message, call):
        pass

    def lost(self, peer, error):
        pass

    async def join(self, url: str) -> None:
        relay = parse_relay_url(url)
        self.peer = await connect(relay.host, relay.port, initiator_ik(os.urandom(32), relay.key), relay_codec, self)
        own = self.end.own
        await self.peer.call(Register(self.number, own.identity.public, own.registration_id, self.end.upload))
        await self.peer.call(Attach())

    def post(self, to: str, kind: int, body: bytes) -> None:
        post = Post(os.urandom(16), to, 1, [Part(1, kind, body)])
        self.peer.notify(PostBatch(0, [post]))


def test_what_cannot_be_decrypted_is_kept_told_and_acked(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            stranger = Stranger(w.eve)
            async with w.device(w.bob) as bob:
                await bob.until(Ready)
                await stranger.join(w.url)
                for kind in (Kind.WHISPER, Kind.PREKEY):
                    stranger.post(w.bob, kind, os.urandom(300))
                bad = await bob.until(Unreadable, count=2)
                assert {each.sender for each in bad} == {stranger.number}
                await alice.device.send_text(w.bob, "still there?")
                await bob.until(MessageReceived, text="still there?")
            async with w.device(w.bob) as bob:
                await alice.device.send_text(w.bob, "and now?")
                await bob.until(MessageReceived)
                assert not [event for event in bob.events if isinstance(event, Unreadable)]
            stranger.peer.close()
            await stranger.peer.closed()

    run(main)


def test_a_new_identity_is_told_and_the_talk_goes_on(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.bob) as bob:
            async with w.device(w.alice) as alice:
                await alice.device.send_text(w.bob, "old")
                await bob.until(MessageReceived)
            async with w.device(w.alice, home="new-phone", replace=True) as alice:
                await alice.device.send_text(w.bob, "new")
                [news] = await bob.until(IdentityNews)
                assert news.sender == w.alice
                await bob.until(MessageReceived, text="new")
                await bob.device.send_text(w.alice, "welcome back")
                assert [t.text for t in await alice.until(MessageReceived)] == ["welcome back"]

    run(main)


@pytest.mark.parametrize("by_a_message", [True, False])
def test_a_new_identity_gets_nothing_before_it_is_accepted_and_is_read(tmp_path, relay_url, by_a_message):
    async def main():
        w = World(tmp_path, relay_url)
        policy = {"identity_policy": Policy.BLOCK}
        async with w.device(w.bob, **policy) as bob:
            async with w.device(w.alice) as alice:
                await alice.device.send_text(w.bob, "old")
                await bob.until(MessageReceived)
            async with w.device(w.alice, home="new-phone", replace=True) as alice:
                await alice.until(Ready)
                if by_a_message:
                    await alice.device.send_text(w.bob, "new")
                    assert [text.text for text in await bob.until(MessageReceived)] == ["new"]
                await bob.device.send_text(w.alice, "who are you?")
                [status] = await bob.until(StatusChanged, status="failed")
                assert status.code == ("identity.unacknowledged" if by_a_message else "identity.changed")
                assert sum(isinstance(event, IdentityNews) for event in bob.events) == int(by_a_message)
        async with w.device(w.bob, **policy) as bob:
            async with w.device(w.alice, home="new-phone") as alice:
                await bob.device.send_text(w.alice, "still?")
                [status] = await bob.until(StatusChanged, status="failed")
                assert status.code == "identity.unacknowledged"
                before = await bob.device.safety(w.alice)
                await bob.device.accept_identity(w.alice)
                after = await bob.device.safety(w.alice)
                assert (before.is_accepted, after.is_accepted) == (False, True)
                await bob.device.send_text(w.alice, "welcome")
                assert [text.text for text in await alice.until(MessageReceived)] == ["welcome"]
                theirs = await alice.device.safety(w.bob)
                assert theirs.safety_number == after.safety_number and theirs.identity_hash != after.identity_hash

    run(main)


def test_what_waits_for_the_old_phone_is_not_sent_to_the_new_one(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await bob.device.send_text(w.alice, "hello")
            await alice.until(MessageReceived)
            await bob.until(StatusChanged, status="delivered")
        device = await Device.open(w.home(w.bob), None, w.bob)
        for number in range(3):
            await device.send_text(w.alice, f"for the old phone {number}")
        await device.close()
        async with w.device(w.alice, home="new-phone", replace=True) as alice:
            await alice.until(Ready)
            async with w.device(w.bob) as bob:
                failed = await bob.until(StatusChanged, 3, status="failed")
                assert {status.code for status in failed} == {"identity.changed"}
                await bob.device.send_text(w.alice, "for the new phone")
                assert [text.text for text in await alice.until(MessageReceived)] == ["for the new phone"]

    run(main)


def test_safety_number_of_a_stranger_is_refused_with_a_sentence(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.bob) as bob:
            for call in (bob.device.safety(w.alice), bob.device.accept_identity(w.alice)):
                with pytest.raises(PeerUnknown, match="no message"):
                    await call

    run(main)


def test_a_replaced_phone_is_stopped_and_says_why(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as first:
            await first.until(Ready)
            async with w.device(w.alice, home="second") as second:
                [stopped] = await second.until(Stopped)
                assert stopped.code == "number.taken" and "--replace" in stopped.text
            async with w.device(w.alice, home="second", replace=True) as second:
                await second.until(Ready)
                [stopped] = await first.until(Stopped)
                assert stopped.code == "number.taken"

    run(main)


def test_a_relay_that_forgot_everything_gets_the_phone_back(tmp_path):
    async def main():
        async with world(tmp_path) as w:
            async with w.device(w.alice) as alice:
                await alice.until(Ready)
        shutil.rmtree(tmp_path / "relay")
        (tmp_path / "relay").mkdir()
        async with world(tmp_path) as w, w.device(w.alice) as alice:
            await alice.until(Ready)

    run(main)


def test_after_a_failed_commit_memory_is_as_the_store_is(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await bob.until(Ready)
            await alice.device.send_text(w.bob, "0")
            await bob.until(MessageReceived)
            fail_next_commit(alice.device)
            fail_next_commit(bob.device)
            with pytest.raises(StoreFull):
                await alice.device.send_text(w.bob, "refused")
            sent = await alice.device.send_text(w.bob, "1")
            [text] = await bob.until(MessageReceived)
            assert (text.id, text.text) == (sent, "1")
            await bob.device.send_text(w.alice, "2")
            await alice.until(MessageReceived, text="2")

    run(main)


def fail_next_commit(device: Device) -> None:
    """Let the disk be full for one commit."""
    database = device._profile.database
    commit = database.commit

    def fail(unit):
        database.commit = commit
        future = asyncio.get_running_loop().create_future()
        future.set_exception(StoreFull("the disk is full"))
        return future

    database.commit = fail


def test_a_phone_without_a_relay_keeps_trying_and_says_so_once(tmp_path):
    async def main():
        async def nowhere():
            return parse_relay_url(format_relay_url("127.0.0.1", 9, End().own.identity.public[1:]))

        device = await Device.open(tmp_path / "home", nowhere, ALICE, Options())
        watched = Watched(device)
        [offline] = await watched.until(object)
        assert offline.code == "link.lost"
        await device.close()

    run(main)


def test_a_phone_that_is_too_fast_waits_says_so_once_and_loses_nothing(tmp_path):
    async def main():
        w = await World.start(tmp_path, "--post-burst", "10", "--post-refill", "50")
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await bob.until(Ready)
            sent = [await alice.device.send_text(w.bob, f"{number}") for number in range(40)]
            texts = await bob.until(MessageReceived, 40)
            assert {text.id for text in texts} == set(sent)
            await alice.until(StatusChanged, 40, status="delivered")
            limits = [event for event in alice.events if isinstance(event, Limited)]
            assert limits and all(0 < event.retry_after_ms <= 1_000 for event in limits)
            assert [text.text for text in texts] == [f"{number}" for number in range(40)]
        await w.relay.kill()

    run(main)
