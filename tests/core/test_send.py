import asyncio
import time

import pytest

from corefast.core.send import results
from corefast.errors import Overloaded, RemoteRefused, StoreError
from corefast.wire.body import Text
from corefast.wire.event import EventKind, State
from corefast.wire.gateway import Idempotency, Send
from corefast.wire.messages import PostState
from tests.core.fake import Phone, chain_position
from tests.core.world import BUSINESS, CUSTOMER, OTHER, story


def texts(world):
    return [world.phone.read(post.parts[0]).body.body for post in world.relay.posts]


def assert_no_position_used_twice(posts):
    seen = {}
    for post in posts:
        for part in post.parts:
            position = chain_position(part)
            assert seen.setdefault(position, part.body) == part.body


def test_message_is_durable_encrypted_and_reported(tmp_path):
    async def main(world):
        accepted = await world.send("hello", "+49 123 123456")
        assert accepted.to == CUSTOMER and accepted.id.startswith("gBGG")
        sent, delivered = await world.statuses(2)
        assert [sent.kind, delivered.kind] == [EventKind.SENT, EventKind.DELIVERED]
        assert sent.message_id == delivered.message_id == accepted.id
        content = world.phone.read(world.relay.posts[0].parts[0])
        assert content.body.body == "hello" and content.id == world.relay.posts[0].id
        view = await world.view(accepted.id)
        assert view.body == Text("hello") and view.peer == CUSTOMER
        assert [change.state for change in view.history] == [State.ACCEPTED, State.SENT, State.DELIVERED]

    story(main, tmp_path)


def test_messages_to_a_new_peer_leave_in_the_order_of_their_acceptance(tmp_path):
    async def main(world):
        await asyncio.gather(*[world.send(str(n)) for n in range(300)])
        await world.relay.until(lambda: len(world.relay.posts) == 300)
        assert texts(world) == [str(n) for n in range(300)]
        assert world.relay.fetched == [CUSTOMER]
        assert_no_position_used_twice(world.relay.posts)

    story(main, tmp_path)


def test_order_holds_while_a_lane_turns_hot_under_a_steady_stream(tmp_path):
    async def main(world):
        sends = []
        for number in range(400):
            sends.append(asyncio.ensure_future(world.send(str(number))))
            if number % 7 == 0:
                await asyncio.sleep(0)
            if number % 50 == 0:
                await asyncio.sleep(0.003)
        await asyncio.gather(*sends)
        await world.relay.until(lambda: len(world.relay.posts) == 400)
        assert texts(world) == [str(n) for n in range(400)]

    story(main, tmp_path)


def test_four_spellings_of_a_number_are_one_session(tmp_path):
    async def main(world):
        for to in ("+49 123 123456", "0049123123456", "49123123456", "+49-123-123456"):
            assert (await world.send("x", to)).to == CUSTOMER
        await world.relay.until(lambda: len(world.relay.posts) == 4)
        assert world.relay.fetched == [CUSTOMER]

    story(main, tmp_path)


@pytest.mark.parametrize(
    ("to", "body", "code"),
    [
        ("nobody", "x", "number.invalid"),
        (BUSINESS, "x", "recipient.is_sender"),
        (CUSTOMER, "", "parameter.missing"),
        (CUSTOMER, "x" * 4_097, "message.too_long"),
    ],
)
def test_send_that_cannot_be_served_says_so_and_changes_nothing(tmp_path, to, body, code):
    async def main(world):
        with pytest.raises(RemoteRefused) as refused:
            await world.send(body, to)
        assert refused.value.code == code
        assert world.business.lanes.queued == 0 and world.business.context.next_message.last == 0

    story(main, tmp_path)


def test_number_that_nobody_has_ends_in_failed_with_a_reason(tmp_path):
    async def main(world):
        accepted = await world.send("x", OTHER)
        [failed] = await world.statuses(1)
        assert failed.kind == EventKind.FAILED and failed.failure.code == 1026
        assert (await world.view(accepted.id)).failure == failed.failure
        assert world.business.lanes.queued == 0

    story(main, tmp_path)


def test_failed_commit_is_an_error_and_its_chain_position_never_leaves(tmp_path):
    async def main(world):
        await world.send("first")
        await world.statuses(2)
        heal = world.break_commits()
        results = await asyncio.gather(*[world.send("lost") for _ in range(5)], return_exceptions=True)
        assert {result.code for result in results} == {"store.full"}
        heal()
        await asyncio.gather(*[world.send(f"after {n}") for n in range(5)])
        await world.relay.until(lambda: len(world.relay.posts) == 6)
        assert texts(world) == ["first", *(f"after {n}" for n in range(5))]
        assert_no_position_used_twice(world.relay.posts)

    story(main, tmp_path)


def test_failed_commit_of_a_first_message_leaves_the_peer_usable(tmp_path):
    async def main(world):
        heal = world.break_commits()
        with pytest.raises(RemoteRefused):
            await world.send("lost")
        heal()
        await world.send("kept")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        assert texts(world) == ["kept"]

    story(main, tmp_path)


def test_message_without_a_result_is_posted_again_after_a_restart_as_the_same_bytes(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: None
        await asyncio.gather(*[world.send(str(n)) for n in range(20)])
        await world.relay.until(lambda: len(world.relay.posts) == 20)
        before = list(world.relay.posts)
        world.relay.decide = lambda post: PostState.STORED
        await world.restart()
        await world.relay.until(lambda: len(world.relay.posts) == 40)
        assert world.relay.posts[20:] == before
        await world.send("new")
        await world.relay.until(lambda: len(world.relay.posts) == 41)
        assert_no_position_used_twice(world.relay.posts)
        assert len(await world.events(21, EventKind.SENT)) == 21

    story(main, tmp_path)


def test_lost_link_brings_everything_without_a_result_again_in_order(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: None
        await asyncio.gather(*[world.send(str(n)) for n in range(10)])
        await world.relay.until(lambda: len(world.relay.posts) == 10)
        world.relay.decide = lambda post: PostState.DELIVERED
        world.relay.peer.close()
        await world.relay.until(lambda: len(world.relay.posts) == 20)
        assert world.relay.posts[10:] == world.relay.posts[:10]
        assert len(await world.statuses(20)) == 20

    story(main, tmp_path)


def test_messages_are_accepted_while_the_relay_is_away(tmp_path):
    async def main(world):
        await world.send("0")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        await world.relay.stop()
        await asyncio.gather(*[world.send(str(n)) for n in range(1, 30)], world.send("x", OTHER))
        await world.restart()
        await world.send("30")
        world.relay.add(Phone(OTHER))
        await world.relay.start(world.relay.port)
        await world.relay.until(lambda: len(world.relay.posts) == 32)
        to_customer = [post for post in world.relay.posts if post.to == CUSTOMER]
        assert [world.phone.read(post.parts[0]).body.body for post in to_customer] == [str(n) for n in range(31)]
        assert len(await world.statuses(64)) == 64

    story(main, tmp_path)


def test_changed_device_list_is_fetched_and_waiting_messages_keep_their_order(tmp_path):
    async def main(world):
        await world.send("first")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        second = Phone(CUSTOMER, 2, like=world.phone)
        world.relay.add(second)
        await asyncio.gather(*[world.send(str(n)) for n in range(30)])
        await world.statuses(62)
        taken = [post for post in world.relay.posts if post.devices_version == 2]
        assert [second.read(post.parts[1]).body.body for post in taken] == [str(n) for n in range(30)]
        assert_no_position_used_twice(world.relay.posts)
        assert await world.events(0, EventKind.IDENTITY_CHANGED) == []

    story(main, tmp_path)


def test_relay_that_says_again_and_again_that_the_list_is_another_one_is_asked_ever_more_seldom(tmp_path, monkeypatch):
    async def main(world):
        monkeypatch.setattr(results, "_FIRST_REFUSAL_MS", 100)
        honest = world.relay.decide
        world.relay.decide = lambda post: PostState.DEVICES_CHANGED
        began = time.monotonic()
        for number in range(3):
            await world.send(str(number))
        for count, elapsed_s in ((9, 0.0), (12, 0.1), (15, 0.3)):
            await world.relay.until(lambda count=count: len(world.relay.posts) >= count)
            assert time.monotonic() - began >= elapsed_s
        assert len(world.relay.fetched) <= 5
        world.relay.decide = honest
        lane = world.business.lanes.get(CUSTOMER)
        async with asyncio.timeout(20):
            await world.statuses(6)
        assert lane.changes == 0
        assert_no_position_used_twice(world.relay.posts)

    story(main, tmp_path)


def test_new_identity_of_a_peer_is_told_and_what_was_meant_for_the_old_one_fails(tmp_path):
    async def main(world):
        await world.send("to the old phone")
        await world.statuses(2)
        phone = Phone(CUSTOMER)
        world.relay.replace(phone)
        await world.send("to the old phone again")
        [changed] = await world.events(1, EventKind.IDENTITY_CHANGED)
        assert changed.peer == CUSTOMER
        failed = (await world.statuses(3))[-1]
        assert (failed.kind, failed.failure.code) == (EventKind.FAILED, 480)
        await world.send("to the new phone")
        await world.statuses(5)
        assert phone.read(world.relay.posts[-1].parts[0]).body.body == "to the new phone"

    story(main, tmp_path)


def test_bundle_with_a_bad_signature_starts_nothing_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.send.preparer._FIRST_RETRY_MS", 20)

    async def main(world):
        good = world.phone.upload
        world.phone.upload = Phone(CUSTOMER).upload
        await world.send("patient")
        await world.relay.until(lambda: len(world.relay.fetched) == 1)
        world.phone.upload = good
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        assert texts(world) == ["patient"]

    story(main, tmp_path)


@pytest.mark.parametrize("error", [StoreError("the database is closed"), Overloaded("the database is behind")])
def test_result_that_no_database_takes_is_asked_for_again(error, tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.send.results._COMMIT_RETRY_MS", 20)

    async def main(world):
        world.relay.decide = lambda post: None
        await world.send("hello")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        database, refused = world.business.context.database, []

        def refuse(unit, callback):
            refused.append(unit)
            database.commit_then = commit
            raise error

        commit, database.commit_then = database.commit_then, refuse
        world.relay.decide = lambda post: PostState.STORED
        world.relay.answer(world.relay.posts[0], PostState.STORED)
        await world.relay.until(lambda: len(world.relay.posts) == 2)
        assert len(refused) == 1 and world.relay.posts[0] == world.relay.posts[1]
        assert [event.kind for event in await world.statuses(1)] == [EventKind.SENT]

    story(main, tmp_path)


def test_refused_post_is_tried_again_and_holds_its_lane(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.send.results._FIRST_REFUSAL_MS", 20)

    async def main(world):
        await world.send("0")
        await world.statuses(2)
        refused = []

        def refuse_once(post):
            if post.to == CUSTOMER and not refused:
                refused.append(post)
                return PostState.REFUSED
            return PostState.DELIVERED

        world.relay.decide = refuse_once
        await world.send("1")
        await world.relay.until(lambda: len(refused) == 1)
        await world.send("2")
        await world.statuses(6)
        assert [post.id for post in world.relay.posts[1:]] == [refused[0].id, refused[0].id, world.relay.posts[-1].id]

    story(main, tmp_path)


def test_fifty_equal_sends_are_one_message(tmp_path):
    async def main(world):
        same = Idempotency("key/messages", "abc", b"request")
        results = await asyncio.gather(
            *[world.send("once", idempotency=same) for _ in range(50)], return_exceptions=True
        )
        accepted = {result.id for result in results if not isinstance(result, Exception)}
        running = [result for result in results if isinstance(result, Exception)]
        assert len(accepted) == 1 and {error.code for error in running} == {"idempotency.running"}
        again = await world.send("once", idempotency=same)
        assert again.replayed and {again.id} == accepted
        await world.restart()
        assert (await world.send("once", idempotency=same)).id in accepted
        with pytest.raises(RemoteRefused) as refused:
            await world.send("twice", idempotency=Idempotency("key/messages", "abc", b"other request"))
        assert refused.value.code == "idempotency.mismatch"
        other_scope = await world.send("once", idempotency=Idempotency("other", "abc", b"request"))
        assert other_scope.id not in accepted

    story(main, tmp_path)


def test_failed_send_frees_its_idempotency_key(tmp_path):
    async def main(world):
        same = Idempotency("s", "k", b"f")
        heal = world.break_commits()
        with pytest.raises(RemoteRefused):
            await world.send("x", idempotency=same)
        heal()
        assert not (await world.send("x", idempotency=same)).replayed

    story(main, tmp_path)


def test_full_lane_is_overloaded_and_others_are_served(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.send.sender.MAX_LANE_MESSAGES", 5)

    async def main(world):
        world.relay.decide = lambda post: None
        world.relay.add(Phone(OTHER))
        for _ in range(5):
            await world.send("x")
        with pytest.raises(RemoteRefused) as refused:
            await world.send("x")
        assert refused.value.code == "overloaded"
        await world.send("y", OTHER)

    story(main, tmp_path)


def test_ciphertext_that_reading_brought_before_its_commit_was_heard_of_is_posted_once(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: None
        await world.send("first")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        outbox = world.business.outbox
        outbox.add(*outbox._unanswered.values())
        await world.send("second")
        await world.relay.until(lambda: len(world.relay.posts) > 1)
        assert texts(world) == ["first", "second"]

    story(main, tmp_path)


def test_outbox_larger_than_memory_keeps_order(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.send.outbox.MAX_READY", 8)
    monkeypatch.setattr("corefast.core.send.outbox._PAGE", 5)
    monkeypatch.setattr("corefast.core.send.outbox.MAX_UNANSWERED_POSTS", 3)

    async def main(world):
        await world.send("0")
        await world.statuses(2)
        rest = [world.send(str(n)) for n in range(1, 200)]
        await asyncio.gather(*rest)
        await world.statuses(400)
        assert texts(world) == [str(n) for n in range(200)]

    story(main, tmp_path)


def test_commit_numbers_of_posts_never_fall(tmp_path):
    async def main(world):
        for _ in range(3):
            await asyncio.gather(*[world.send("x") for _ in range(5)])
            await world.restart()
            await world.attached()
        numbers = [batch.commit_seq for batch in world.relay.batches]
        assert numbers == sorted(numbers) and numbers[0] > 0
        assert all(attach.commit_seq > 0 for attach in world.relay.attaches)

    story(main, tmp_path)


def test_other_account_is_refused(tmp_path):
    async def main(world):
        with pytest.raises(RemoteRefused) as refused:
            await world.front.call(Send("491700000001", CUSTOMER, Text("x")))
        assert refused.value.code == "account.unknown"

    story(main, tmp_path)


def test_more_peers_than_the_cache_holds_keep_their_sessions_and_order(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.send.lane.MAX_CACHED_SESSIONS", 3)

    async def main(world):
        phones = {f"9990000{number:03}": Phone(f"9990000{number:03}") for number in range(8)}
        world.relay.add(*phones.values())
        for text in range(3):
            for number in phones:
                await world.send(str(text), number)
            await world.statuses(16 * (text + 1))
        assert len(world.business.lanes) < 8
        read = {number: [] for number in phones}
        for post in world.relay.posts:
            read[post.to].append(phones[post.to].read(post.parts[0]).body.body)
        assert set(map(tuple, read.values())) == {("0", "1", "2")}
        assert sorted(world.relay.fetched) == sorted(phones)
        assert_no_position_used_twice(world.relay.posts)

    story(main, tmp_path)
