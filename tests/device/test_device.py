"""Phones at a real relay: what is sent arrives once, is told until it was shown, and survives."""

import asyncio
import os
import stat

import pytest
import uvloop

from corefast.device import (
    Device,
    IdentityNews,
    Options,
    Ready,
    StatusChanged,
    Stopped,
    TextReceived,
    Unreadable,
)
from corefast.device.store.outbox import State
from corefast.errors import (
    MessageTooLong,
    NumberInvalid,
    ParameterInvalid,
    RecipientIsSender,
    SetupError,
    StoreFull,
)
from corefast.link.secure import initiator_ik
from corefast.net.client import connect, format_relay_url, parse_relay_url
from corefast.wire.codec import relay_codec
from corefast.wire.messages import Attach, Kind, Part, Post, PostBatch, Register
from tests.device.world import Watched, world
from tests.endpoint.pair import End

ALICE, BOB = "99910000001", "99910000002"
CANARY = "the canary sings at noon"


def test_two_phones_talk_and_see_their_ticks(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(ALICE, name="Alice") as alice, w.device(BOB) as bob:
            await bob.until(Ready)
            sent = await alice.device.send_text("+999 100 00002", CANARY)
            [text] = await bob.until(TextReceived)
            assert (text.sender, text.id, text.text, text.name) == (ALICE, sent, CANARY, "Alice")
            assert await bob.device.mark_read([text.id]) == 1
            assert await bob.device.mark_read([text.id]) == 0
            await alice.until(StatusChanged, status="read")
            told = [e.status for e in alice.events if isinstance(e, StatusChanged)]
            assert told == ["sent", "delivered", "read"]
            assert (await alice.device.status(sent)) == (State.READ, "")
            await bob.device.send_text(ALICE, "and back")
            assert [t.text for t in await alice.until(TextReceived)] == ["and back"]
        for place in tmp_path.rglob("*"):
            mode = stat.S_IMODE(place.stat().st_mode)
            assert mode & 0o077 == 0, place
            assert place.is_dir() or CANARY.encode() not in place.read_bytes(), place

    old = os.umask(0o077)
    try:
        uvloop.run(main())
    finally:
        os.umask(old)


def test_a_backlog_of_a_thousand_arrives_once_and_in_order_also_while_it_grows(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(ALICE) as alice:
            async with w.device(BOB) as bob:
                await bob.until(Ready)
            await asyncio.gather(*(alice.device.send_text(BOB, f"{n}") for n in range(1_000)))
            await alice.until(StatusChanged, count=1_000, status="sent")
            async with w.device(BOB) as bob:
                await bob.until(TextReceived, count=100)
                await asyncio.gather(*(alice.device.send_text(BOB, f"{n}") for n in range(1_000, 1_050)))
                await bob.until(TextReceived, count=950)
                texts = [e.text for e in bob.events if isinstance(e, TextReceived)]
                assert texts == [str(n) for n in range(1_050)]

    uvloop.run(main())


def test_what_was_not_shown_is_told_again_with_the_same_id(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(ALICE) as alice:
            async with w.device(BOB) as bob:
                await bob.until(Ready)
                for n in range(3):
                    await alice.device.send_text(BOB, f"{n}")
                first, _ = await bob.until(TextReceived, count=2)
                # The reader has come back once: the first one was shown, the second is still in its hands.
            async with w.device(BOB) as bob:
                again = await bob.until(TextReceived, count=2)
                assert [text.text for text in again] == ["1", "2"]
                assert first.id not in {text.id for text in again}

    uvloop.run(main())


def test_messages_that_the_relay_has_not_got_leave_at_the_next_start(tmp_path):
    async def main():
        async with world(tmp_path) as w:
            async with w.device(BOB) as bob, w.device(ALICE) as alice:
                await bob.until(Ready)
                await alice.device.send_text(BOB, "0")
                await bob.until(TextReceived)
            offline = await Device.open(w.home(ALICE), None, ALICE)
            ids = [await offline.send_text(BOB, f"{n}") for n in range(1, 4)]
            assert await offline.send_text(BOB, "1", ids[0]) == ids[0]
            await offline.close()
            async with w.device(ALICE), w.device(BOB) as bob:
                # "0" was still in the reader's hands.
                _, *texts = await bob.until(TextReceived, count=4)
                assert [(text.id, text.text) for text in texts] == [(ids[n], str(n + 1)) for n in range(3)]

    uvloop.run(main())


def test_a_killed_relay_loses_and_doubles_nothing(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(ALICE) as alice, w.device(BOB) as bob:
            await bob.until(Ready)
            ids = [await alice.device.send_text(BOB, "0")]
            for n in range(1, 120):
                ids.append(await alice.device.send_text(BOB, f"{n}"))
                if n == 40:
                    await w.restart_relay()
            await bob.until(TextReceived, count=120)
            texts = [(e.id, e.text) for e in bob.events if isinstance(e, TextReceived)]
            assert texts == [(ids[n], str(n)) for n in range(120)]
            await alice.until(StatusChanged, count=120, status="delivered")

    uvloop.run(main())


def test_a_number_that_nobody_has_fails_the_message(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(ALICE) as alice:
            sent = await alice.device.send_text("+49 30 23125999", "hello?")
            [status] = await alice.until(StatusChanged)
            assert (status.id, status.status, status.code) == (sent, "failed", "number.unknown")
            assert await alice.device.status(sent) == (State.FAILED, "number.unknown")

    uvloop.run(main())


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

    uvloop.run(main())


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

    def post(self, kind: int, body: bytes, message_id: bytes | None = None) -> None:
        post = Post(message_id or os.urandom(16), BOB, 1, [Part(1, kind, body)])
        self.peer.notify(PostBatch(0, [post]))


def test_what_cannot_be_decrypted_is_kept_told_and_acked(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(ALICE) as alice:
            stranger = Stranger("99910000003")
            async with w.device(BOB) as bob:
                await bob.until(Ready)
                await stranger.join(w.url)
                for kind in (Kind.WHISPER, Kind.PREKEY):
                    stranger.post(kind, os.urandom(300))
                bad = await bob.until(Unreadable, count=2)
                assert {each.sender for each in bad} == {stranger.number}
                await alice.device.send_text(BOB, "still there?")
                await bob.until(TextReceived, text="still there?")
            async with w.device(BOB) as bob:
                await alice.device.send_text(BOB, "and now?")
                await bob.until(TextReceived)
                assert not [event for event in bob.events if isinstance(event, Unreadable)]
            stranger.peer.close()
            await stranger.peer.closed()

    uvloop.run(main())


def test_a_new_identity_is_told_and_the_talk_goes_on(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(BOB) as bob:
            async with w.device(ALICE) as alice:
                await alice.device.send_text(BOB, "old")
                await bob.until(TextReceived)
            async with w.device(ALICE, home="new-phone", replace=True) as alice:
                await alice.device.send_text(BOB, "new")
                [news] = await bob.until(IdentityNews)
                assert news.sender == ALICE
                await bob.until(TextReceived, text="new")
                await bob.device.send_text(ALICE, "welcome back")
                assert [t.text for t in await alice.until(TextReceived)] == ["welcome back"]

    uvloop.run(main())


def test_a_new_identity_can_be_refused(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(BOB, accept_changed_identities=False) as bob:
            async with w.device(ALICE) as alice:
                await alice.device.send_text(BOB, "old")
                await bob.until(TextReceived)
            async with w.device(ALICE, home="new-phone", replace=True) as alice:
                await alice.device.send_text(BOB, "new")
                [refused] = await bob.until(Unreadable)
                assert refused.code == "identity.changed"
                await bob.device.send_text(ALICE, "who are you?")
                [status] = await bob.until(StatusChanged, status="failed")
                assert status.code == "identity.changed"

    uvloop.run(main())


def test_a_replaced_phone_is_stopped_and_says_why(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(ALICE) as first:
            await first.until(Ready)
            async with w.device(ALICE, home="second") as second:
                [stopped] = await second.until(Stopped)
                assert stopped.code == "number.taken" and "--replace" in stopped.text
            async with w.device(ALICE, home="second", replace=True) as second:
                await second.until(Ready)
                [stopped] = await first.until(Stopped)
                assert stopped.code == "number.taken"

    uvloop.run(main())


def test_a_relay_that_forgot_everything_gets_the_phone_back(tmp_path):
    async def main():
        async with world(tmp_path) as w:
            async with w.device(ALICE) as alice:
                await alice.until(Ready)
        for part in (tmp_path / "relay").iterdir():
            part.unlink()
        async with world(tmp_path) as w, w.device(ALICE) as alice:
            await alice.until(Ready)

    uvloop.run(main())


def test_after_a_failed_commit_memory_is_as_the_store_is(tmp_path):
    async def main():
        async with world(tmp_path) as w, w.device(ALICE) as alice, w.device(BOB) as bob:
            await bob.until(Ready)
            await alice.device.send_text(BOB, "0")
            await bob.until(TextReceived)
            fail_next_commit(alice.device)
            fail_next_commit(bob.device)
            with pytest.raises(StoreFull):
                await alice.device.send_text(BOB, "refused")
            sent = await alice.device.send_text(BOB, "1")
            [text] = await bob.until(TextReceived)
            assert (text.id, text.text) == (sent, "1")
            await bob.device.send_text(ALICE, "2")
            await alice.until(TextReceived, text="2")

    uvloop.run(main())


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

    uvloop.run(main())
