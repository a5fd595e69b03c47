import asyncio
import hashlib

import pytest
import uvloop

from corefast import __version__
from corefast.core.account.duties import Duties
from corefast.core.app import Core
from corefast.core.config import CoreConfig
from corefast.endpoint import stock
from corefast.endpoint.stock import KeyKind
from corefast.errors import AttachSuperseded, CodeRequired, NumberTaken, Overloaded, RemoteRefused, SetupError
from corefast.limits import SIGNED_PREKEY_LIFE_MS
from corefast.store.database import Statement, Unit
from corefast.wire.event import EventKind
from corefast.wire.gateway import CheckKey, GetHealth, GetMetrics, ListKeys, NewKey, RevokeKey, Scope
from corefast.wire.messages import Evicted, Item, Kind, PostState, PreKeysLow
from corefast.wire.webhook import GetWebhook, SetWebhook
from tests.core.fake import NOW_MS, chain_position
from tests.core.world import BUSINESS, CUSTOMER, story
from tests.support import engine


async def health(world):
    return await world.front.call(GetHealth())


# ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_new_key_works_until_it_is_revoked_and_only_its_digest_is_kept(tmp_path):
    async def main(world):
        made = await world.front.call(NewKey("shop", (Scope.SEND,)))
        digest = hashlib.sha256(made.key.encode()).digest()
        assert made.key.startswith("cf_")
        assert await world.front.call(CheckKey(digest)) == made.view
        await world.restart()
        assert (await world.front.call(ListKeys())).keys == [made.view]
        await world.front.call(RevokeKey(made.view.id))
        with pytest.raises(RemoteRefused) as refused:
            await world.front.call(CheckKey(digest))
        assert refused.value.code == "token.invalid"
        await world.restart()
        assert (await world.front.call(ListKeys())).keys == []

    story(main, tmp_path)


def test_key_that_exists_elsewhere_is_taken_over_once(tmp_path):
    async def main(world):
        key = "cf_" + "a" * 40
        first = await world.front.call(NewKey("demo", key=key))
        again = await world.front.call(NewKey("demo", key=key))
        assert first == again and len((await world.front.call(ListKeys())).keys) == 1
        with pytest.raises(RemoteRefused) as refused:
            await world.front.call(NewKey("weak", key="cf_short"))
        assert refused.value.code == "parameter.invalid"

    story(main, tmp_path)


# ── the place at the relay ─────────────────────────────────────────────────────────────────────────────────────────


def test_registers_once_and_moves_the_token_at_each_attach(tmp_path):
    async def main(world):
        await world.restart()
        await world.attached()
        assert len(world.relay.registers) == 1
        assert world.relay.registers[0].number == BUSINESS
        first, second = world.relay.attaches
        assert first.token == b"" and second.token == first.next_token != second.next_token
        assert (await health(world)).gateway_status == "connected"

    story(main, tmp_path)


def test_attach_whose_answer_was_lost_is_repeated_with_the_same_tokens(tmp_path):
    async def main(world):
        tries = []

        def hang_up(attach):
            tries.append(attach)
            world.relay.on_attach = lambda attach: None
            next(iter(world.relay._server.peers)).close()

        world.relay.on_attach = hang_up
        await world.stop()
        await world.start()
        await world.attached()
        assert tries[0].next_token == world.relay.attaches[-1].next_token
        assert tries[0].token == world.relay.attaches[-1].token

    story(main, tmp_path)


@pytest.mark.parametrize("how", ["refused", "evicted"])
def test_superseded_core_drops_its_sessions_and_refuses_to_send(tmp_path, how):
    async def main(world):
        await world.send("before")
        await world.statuses(2)
        world.relay.decide = lambda post: None
        await world.send("waits")
        if how == "evicted":
            world.relay.peer.notify(Evicted("attach.superseded"))
        else:
            world.relay.on_attach = lambda attach: AttachSuperseded("another copy")
            world.relay.peer.close()
        [event] = await world.events(1, EventKind.SUPERSEDED)
        assert event.peer == ""
        with pytest.raises(RemoteRefused) as refused:
            await world.send("x")
        assert refused.value.code == "account.stopped"
        assert (await health(world)).gateway_status == "disconnected"
        own = world.business.context.own
        assert not own.one_time and not own.one_time_kem
        posts = len(world.relay.posts)
        await world.restart()
        assert (await health(world)).gateway_status == "disconnected"
        with pytest.raises(RemoteRefused):
            await world.send("x")
        assert len(world.relay.posts) == posts

    story(main, tmp_path)


def test_restored_copy_goes_on_with_new_sessions_and_ids_on_the_operators_word(tmp_path):
    async def main(world):
        await world.send("0")
        await world.statuses(2)
        backup = tmp_path / "backup"
        world.relay.decide = lambda post: None
        await world.send("waits")
        await world.stop()
        engine.current.copy(tmp_path / "core", backup)
        await world.start()
        await world.attached()
        world.relay.decide = lambda post: PostState.DELIVERED
        for number in range(5):
            await world.send(f"of the original {number}")
        original = await world.statuses(14)
        await world.stop()
        before = list(world.relay.posts)

        await world.start(folder=backup, adopt_restored=True)
        await world.attached()
        assert world.relay.attaches[-1].force
        await world.send("of the copy")
        await world.relay.until(lambda: len(world.relay.posts) >= len(before) + 2)
        after = world.relay.posts[len(before) :]
        positions = {chain_position(part) for post in before for part in post.parts}
        assert not positions & {chain_position(part) for post in after for part in post.parts}
        assert after[-1].id not in {post.id for post in before}
        events = await world.statuses(6)
        assert not {event.id for event in events[2:]} & {event.id for event in original}

    story(main, tmp_path)


def test_copy_that_commits_on_its_own_does_not_catch_up_with_what_the_relay_has_seen(tmp_path):
    async def main(world):
        await world.send("before")
        await world.statuses(2)
        copy = world.folder / "copy"
        engine.current.copy(world.folder / "core", copy)
        await world.send("after")
        await world.statuses(4)
        seen, attaches = world.relay.batches[-1].commit_seq, world.relay.attaches
        await world.restart()
        await world.attached()
        assert attaches[-1].commit_seq >= seen
        world.relay.on_attach = lambda attach: Overloaded("not now")
        for _ in range(2):
            known = len(attaches)
            await world.stop()
            await world.start(folder=copy)
            for _ in range(5):
                await world.send("on its own")
            assert world.business.context.lease.commit_seq > seen
            await world.relay.until(lambda known=known: len(attaches) > known + 1)
            assert all(attach.commit_seq < seen for attach in attaches[known:])

    story(main, tmp_path)


@pytest.mark.parametrize("error", [CodeRequired("a code"), NumberTaken("taken")])
def test_refused_registration_waits_for_the_operator_and_says_why(tmp_path, error):
    async def main(world):
        folder = tmp_path / "other"
        await world.stop()
        world.relay.on_register = lambda register: error
        await world.start(folder=folder)
        await world.relay.until(lambda: len(world.relay.registers) == 2)
        async with asyncio.timeout(20):
            while not world.business.sender.refusal:
                await asyncio.sleep(0)
        assert (await health(world)).gateway_status == "unregistered"
        with pytest.raises(RemoteRefused) as refused:
            await world.send("x")
        assert error.code in str(refused.value)
        assert len(world.relay.registers) == 2

    story(main, tmp_path)


def test_a_taken_number_is_claimed_on_the_operators_word_and_only_once(tmp_path):
    async def main(world):
        folder = tmp_path / "other"
        await world.stop()
        world.relay.on_register = lambda register: None if register.replace else NumberTaken("taken")
        await world.start(folder=folder)
        heard = []
        world.business.on_stopped = heard.append
        async with asyncio.timeout(20):
            while not heard:
                await asyncio.sleep(0)
        assert "--replace" in heard[0] and heard[0] == world.business.sender.refusal
        await world.stop()
        await world.start(folder=folder, replace=True)
        await world.attached()
        assert world.relay.registers[-1].replace

    story(main, tmp_path)


def test_low_stock_is_filled_up_with_keys_that_are_stored(tmp_path):
    async def main(world):
        own = world.business.context.own
        before = set(own.one_time)
        world.relay.peer.notify(PreKeysLow(2, stock.KEM_PREKEY_STOCK))
        await world.relay.until(lambda: any(put.prekeys.one_time for put in world.relay.uploads))
        made = {key.id for put in world.relay.uploads for key in put.prekeys.one_time}
        assert len(made) == stock.PREKEY_STOCK - 2 and made == set(own.one_time) - before
        await world.restart()
        assert made <= set(world.business.context.own.one_time)

    story(main, tmp_path)


def test_signed_prekeys_are_rotated_when_they_grow_old(tmp_path):
    async def main(world):
        duties: Duties = world.business.duties
        old = world.relay.registers[0].prekeys.signed.id
        world.clock.now_ms += SIGNED_PREKEY_LIFE_MS
        await duties.round()
        upload = world.relay.uploads[-1].prekeys
        assert upload.signed.id != old and upload.last_resort is not None
        assert not upload.one_time and not upload.one_time_kem
        assert old in world.business.context.own.signed
        records = await world.business.context.keys.load_prekeys()
        assert sum(record.kind == KeyKind.SIGNED for record in records) == 2

    story(main, tmp_path)


# ── files and the edges of the process ─────────────────────────────────────────────────────────────────────────────


def test_no_body_name_or_key_is_in_clear_in_any_file(tmp_path):
    canary = "CANARY-in-the-coal-mine"

    async def main(world):
        made = await world.front.call(NewKey(canary))
        await world.send(canary)
        await world.statuses(2)
        world.phone.read(world.relay.posts[0].parts[0])
        item = world.phone.write(canary, name=canary)
        world.relay.deliver(item, Item(0, b"\1" * 16, Kind.WHISPER, world.phone.address, NOW_MS, b"x"))
        await world.events(4)
        context = world.business.context
        secrets = [
            canary.encode(),
            made.key.encode(),
            context.own.identity.private,
            world.business.account.link_key,
            world.business.account.id_key,
            next(iter(context.own.one_time.values())).private,
        ]
        files = [path for path in (tmp_path / "core").rglob("*") if path.is_file()]
        content = engine.current.content(tmp_path / "core")
        assert not [secret for secret in secrets if secret in content]
        assert CUSTOMER.encode() in content
        assert all(path.stat().st_mode & 0o077 == 0 for path in files)

    story(main, tmp_path)


def test_health_and_metrics_tell_how_it_is(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: None
        await world.send("x")
        answer = await health(world)
        assert answer.number == BUSINESS and answer.version == __version__
        assert answer.store_ok and answer.keys_ok and answer.waiting_messages == 1
        text = (await world.front.call(GetMetrics())).text
        assert "corefast_core_accepted_total" in text and "corefast_core_waiting_messages 1.0" in text
        assert BUSINESS not in text and CUSTOMER not in text

    story(main, tmp_path)


def test_health_says_that_commits_fail_and_notices_when_they_succeed_again(tmp_path):
    async def main(world):
        heal = world.break_commits()
        with pytest.raises(RemoteRefused):
            await world.send("x")
        assert not (await health(world)).store_ok
        assert not (await health(world)).store_ok
        heal()
        assert (await health(world)).store_ok

    story(main, tmp_path)


def open_core(folder, **changes):
    place = engine.current.settings(folder, "core")
    settings = (
        place | {"data_dir": str(folder), "relay": "corefast://127.0.0.1:1/#" + "A" * 43, "number": BUSINESS} | changes
    )
    folder.mkdir(exist_ok=True)

    async def run():
        core = await Core.open(folder, CoreConfig(**settings))
        await core.close()

    uvloop.run(run())


def test_folder_of_another_number_is_refused(tmp_path):
    open_core(tmp_path / "core")
    with pytest.raises(SetupError, match="another number"):
        open_core(tmp_path / "core", number=CUSTOMER)


def test_other_master_key_opens_nothing(tmp_path):
    open_core(tmp_path / "core")
    (tmp_path / "core" / "master.key").unlink()
    with pytest.raises(SetupError, match="master key"):
        open_core(tmp_path / "core")


@pytest.mark.parametrize("changes", [{"shards": 2}, {"number": "x"}, {"relay": "corefast://127.0.0.1:1/"}])
def test_setting_that_cannot_be_is_refused_with_a_sentence(tmp_path, changes):
    with pytest.raises(SetupError):
        open_core(tmp_path / "core", **changes)


def test_commits_of_an_older_process_are_fenced_off(tmp_path):
    async def main(world):
        lease = world.business.context.lease
        newer = await Core.open(tmp_path / "core", world.config)
        assert not await lease.is_held()
        with pytest.raises(RemoteRefused) as refused:
            await world.send("of a zombie")
        assert refused.value.code.startswith("store")
        assert not world.relay.posts
        assert not (await health(world)).store_ok
        await newer.close()

    story(main, tmp_path)


SEALED = "SELECT {1} FROM {0} WHERE {2}"
SEAL = "UPDATE {0} SET {1} = ? WHERE {1} = ?"


async def spoil(world, table, column, where="1=1"):
    """Flip a bit of a sealed column in each row, as a bad disk would."""
    database = world.business.context.database
    unit = Unit()
    for (value,) in await database.fetch(Statement(SEALED.format(table, column, where))):
        damaged = value[:40] + bytes([value[40] ^ 1]) + value[41:]
        unit.add(Statement(SEAL.format(table, column)), damaged, value, rows=1)
    assert unit.ops
    await database.commit(unit)


def test_damaged_rows_are_noticed_and_everything_else_goes_on(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: None
        await world.front.call(NewKey("the shop in the old town", (Scope.SEND,)))
        await world.send("in the outbox")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        world.phone.read(world.relay.posts[0].parts[0])
        world.relay.deliver(world.phone.write("from the customer"))
        [before] = await world.events(1, EventKind.MESSAGE)
        world.relay.decide = lambda post: PostState.DELIVERED
        for table, column in (("session", "sealed"), ("peer", "identity"), ("inbound", "sealed"), ("api_key", "name")):
            await spoil(world, table, column)
        await world.restart()
        assert [key.name for key in (await world.front.call(ListKeys())).keys] == [""]
        await world.send("with a new session")
        await world.statuses(4)
        assert world.phone.read(world.relay.posts[-1].parts[0]).body.body == "with a new session"
        [after] = await world.events(1, EventKind.MESSAGE)
        assert after.message_id == before.message_id and after.text == ""

    story(main, tmp_path)


def test_damaged_prekeys_are_left_out_and_new_ones_take_their_place(tmp_path):
    async def main(world):
        own = world.business.context.own
        signed, last_resort = next(iter(own.signed)), next(iter(own.last_resort))
        one_time, kem = next(iter(own.one_time)), next(iter(own.one_time_kem))
        for kind, key_id in zip(KeyKind, (signed, last_resort, one_time, kem), strict=True):
            await spoil(world, "own_prekey", "sealed", f"kind = {int(kind)} AND id = {key_id}")
        await world.restart()
        await world.relay.until(lambda: world.relay.uploads)
        again, upload = world.business.context.own, world.relay.uploads[-1].prekeys
        assert (set(own.one_time) - set(again.one_time), set(own.one_time_kem) - set(again.one_time_kem)) == (
            {one_time},
            {kem},
        )
        assert (set(again.signed), set(again.last_resort)) == ({upload.signed.id}, {upload.last_resort.id})
        assert upload.signed.id != signed and upload.last_resort.id != last_resort
        await world.send("goes on")
        await world.statuses(2)

    story(main, tmp_path)


def test_damaged_account_is_refused_with_a_remedy(tmp_path):
    async def main(world):
        await spoil(world, "account", "own_keys")
        with pytest.raises(SetupError, match="restore a backup"):
            await Core.open(tmp_path / "core", world.config)

    story(main, tmp_path)


@pytest.mark.parametrize("column", ["url", "secret"])
def test_damaged_webhook_is_off_until_it_is_set_again_and_sending_goes_on(tmp_path, column):
    url = "https://example.test/hook"

    async def main(world):
        await world.front.call(SetWebhook(url))
        await spoil(world, "webhook", column)
        await world.restart()
        assert (await world.front.call(GetWebhook())).url == ""
        await world.send("goes on")
        await world.statuses(2)
        await world.front.call(SetWebhook(url))
        await world.restart()
        again = await world.front.call(GetWebhook())
        assert again.url == url and again.secret.startswith("whsec_")

    story(main, tmp_path)


def test_damaged_body_that_waits_is_reported_as_failed_and_the_next_is_sent(tmp_path):
    async def main(world):
        await world.relay.stop()
        first = await world.send("damaged")
        await world.send("whole")
        await spoil(world, "message", "sealed", f"id = {world.business.context.next_message.last - 1}")
        await world.relay.start(world.relay.port)
        [failed, *_] = await world.statuses(3)
        assert (failed.kind, failed.message_id, failed.failure.code) == (EventKind.FAILED, first.id, 500)
        assert [world.phone.read(post.parts[0]).body.body for post in world.relay.posts] == ["whole"]
        async with asyncio.timeout(20):
            while world.business.lanes.queued:  # a reader may see a commit before its writer hears of it
                await asyncio.sleep(0.001)

    story(main, tmp_path)


def test_damaged_message_that_is_asked_for_is_a_typed_error(tmp_path):
    async def main(world):
        accepted = await world.send("x")
        await world.statuses(2)
        await spoil(world, "message", "sealed")
        with pytest.raises(RemoteRefused) as refused:
            await world.view(accepted.id)
        assert refused.value.code == "message.damaged"

    story(main, tmp_path)


def test_damaged_post_is_encrypted_anew(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: None
        await world.send("x")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        unit = Unit()
        unit.add(Statement("UPDATE outbox SET post = x'ff'"))
        await world.business.context.database.commit(unit)
        world.relay.decide = lambda post: PostState.DELIVERED
        await world.restart()
        await world.statuses(2)
        assert world.relay.posts[0].id == world.relay.posts[1].id
        assert world.phone.read(world.relay.posts[1].parts[0]).body.body == "x"

    story(main, tmp_path)
