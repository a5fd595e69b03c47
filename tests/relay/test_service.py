"""The relay as its clients meet it: registration, keys, attaching, and messages over loopback."""

import asyncio
import base64
import os

import msgspec
import pytest

from corefast.errors import RemoteRefused
from corefast.limits import CODE_LIFE_MS, CODE_TRIES, KEM_PREKEY_FLOOR, MESSAGE_TTL_MS, PREKEY_FLOOR
from corefast.protocol.keys import KeyPair
from corefast.relay.service import ATTACH_BURST, UPLOAD_BURST
from corefast.wire.messages import Address, FetchBundle, Kind, PostState, PreKeyUpload, PutPreKeys, Registered, SetPin
from tests.relay.party import IDENTITY, Clock, Party, curve_key, envelope, envelope_id, kem_key, play, relay_at, upload

SHOP, PHONE = "493023125000", "493023125001"
TOKENS = [bytes([number]) * 16 for number in range(8)]


async def refused(awaitable) -> str:
    with pytest.raises(RemoteRefused) as caught:
        await awaitable
    return caught.value.code


# ── registering ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_served_before_register_or_attach(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            stranger = await Party(url).connect()
            for message in (FetchBundle(SHOP), PutPreKeys(upload()), SetPin("1234")):
                assert await refused(stranger.peer.call(message)) == "link.not_attached"
            assert await refused(stranger.attach()) == "number.unknown"
            stranger.post(envelope(1, SHOP))
            await stranger.until(lambda: stranger.results == {envelope_id(1): PostState.REFUSED})
            stranger.ack()
            assert (await stranger.register(SHOP)).address == Address(SHOP, 1)

    play(main)


def test_repeated_claim_is_harmless_and_adds_no_keys(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            shop = await Party(url).connect()
            first = await shop.register(SHOP, prekeys=upload(3, 2))
            await (await Party(url).join(PHONE)).fetch(SHOP)
            assert await shop.register(SHOP, prekeys=upload(3, 2)) == first == Registered(Address(SHOP, 1), 1)
            assert (await shop.attach()).one_time_left == 2

    play(main)


def test_taken_number_is_refused_and_replace_cuts_the_owner_off(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            owner, other, writer = await Party(url).join(PHONE), await Party(url).connect(), await Party(url).join(SHOP)
            assert await refused(other.register(PHONE)) == "number.taken"
            owner.acks_itself = False
            writer.post(envelope(1, PHONE))
            await writer.until(lambda: writer.results)
            assert (await other.register(PHONE, replace=True)).devices_version == 2
            await owner.until(lambda: owner.is_lost)
            assert owner.evicted == "number.taken"
            await writer.until(lambda: writer.items)
            assert [(item.kind, item.id) for item in writer.items] == [(Kind.FAILED, envelope_id(1))]
            writer.post(envelope(2, PHONE))
            await writer.until(lambda: envelope_id(2) in writer.results)
            assert writer.results[envelope_id(2)] == PostState.DEVICES_CHANGED
            await other.attach()
            writer.post(envelope(3, PHONE, version=2))
            await other.until(lambda: other.items)
            await owner.connect()
            assert await refused(owner.attach()) == "number.unknown"

    play(main)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"prekeys": PreKeyUpload()}, "bundle.invalid"),
        ({"identity": KeyPair.generate(os.urandom).public}, "bundle.invalid"),
        ({"prekeys": msgspec.structs.replace(upload(), last_resort=upload().signed)}, "bundle.invalid"),
        ({"prekeys": msgspec.structs.replace(upload(), one_time=[curve_key(1 << 24)])}, "bundle.invalid"),
        ({"prekeys": msgspec.structs.replace(upload(), one_time_kem=[kem_key(2)] * 101)}, "bundle.invalid"),
        (
            {
                "prekeys": msgspec.structs.replace(
                    upload(), one_time_kem=[msgspec.structs.replace(kem_key(2), signature=bytes(64))]
                )
            },
            "bundle.invalid",
        ),
        ({"prekeys": msgspec.structs.replace(upload(0, 2), last_resort=None)}, "bundle.invalid"),
        ({"identity": b"short"}, "parameter.invalid"),
        ({"shards": 3}, "parameter.invalid"),
        ({"number": "+49 30 23125000"}, "number.invalid"),
        ({"number": "12"}, "number.invalid"),
    ],
)
def test_malformed_claim_is_refused_and_the_next_request_is_served(tmp_path, change, code):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            shop = await Party(url).connect()
            assert await refused(shop.register(**({"number": SHOP} | change))) == code
            await shop.register(SHOP)

    play(main)


def test_code_registers_once_and_only_its_number(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock, registration="code") as (relay, url):
            shop = await Party(url).connect()
            assert await refused(shop.register(SHOP)) == "code.required"
            assert await refused(shop.register(SHOP, code="AAAA-AAAA-AAAA-AAAA")) == "code.wrong"
            code = await relay.admission.issue_code(SHOP)
            assert await refused(shop.register(PHONE, code=code)) == "code.wrong"
            await shop.register(SHOP, code=code.lower().replace("-", " "))
            await shop.register(SHOP)
            thief = await Party(url).connect()
            assert await refused(thief.register(SHOP, code=code, replace=True)) == "code.wrong"
            late = await relay.admission.issue_code(PHONE)
            clock.now_ms += CODE_LIFE_MS
            assert await refused(thief.register(PHONE, code=late)) == "code.wrong"

    play(main)


def test_code_dies_after_its_tries(tmp_path):
    async def main():
        async with relay_at(tmp_path, registration="code") as (relay, url):
            code = await relay.admission.issue_code(SHOP)
            thief = await Party(url).connect()
            for _ in range(CODE_TRIES):
                assert await refused(thief.register(SHOP, code="wrong")) == "code.wrong"
            assert await refused(thief.register(SHOP, code=code)) == "code.wrong"

    play(main)


def test_pin_guards_a_number_and_wrong_ones_wait_longer_and_longer(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock) as (_, url):
            owner, other = await Party(url).join(PHONE), await Party(url).connect()
            await owner.peer.call(SetPin("2580"))
            assert await refused(other.register(PHONE, replace=True)) == "pin.required"
            assert await refused(other.register(PHONE, replace=True, pin="0000")) == "pin.wrong"
            assert await refused(other.register(PHONE, replace=True, pin="2580")) == "rate.limited"
            clock.now_ms += 2_000
            assert await refused(other.register(PHONE, replace=True, pin="0001")) == "pin.wrong"
            clock.now_ms += 2_000
            with pytest.raises(RemoteRefused) as caught:
                await other.register(PHONE, replace=True, pin="2580")
            assert caught.value.retry_after_ms == 2_000
            clock.now_ms += 2_000
            await other.register(PHONE, replace=True, pin="2580")

    play(main)


# ── prekeys ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hundred_clients_ask_for_the_last_one_time_prekey_and_exactly_one_gets_it(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            await (await Party(url).connect()).register(PHONE, prekeys=upload(1, 1))
            askers = [await Party(url).connect() for _ in range(100)]
            await asyncio.gather(*(asker.register(f"9990000{index:03}") for index, asker in enumerate(askers)))
            bundles = await asyncio.gather(*(asker.fetch(PHONE) for asker in askers))
            devices = [bundle.devices[0] for bundle in bundles]
            assert [device.one_time for device in devices if device.one_time is not None] == [curve_key(100)]
            assert sorted(device.kem.id for device in devices) == [1] * 99 + [100]
            assert all(bundle.identity == IDENTITY.public for bundle in bundles)

    play(main)


def test_uploaded_keys_that_were_given_out_do_not_come_back(tmp_path):
    async def main():
        async with relay_at(tmp_path, bundle_burst=50) as (_, url):
            phone, shop = await Party(url).join(PHONE), await Party(url).join(SHOP)
            keys = PutPreKeys(upload(3, 2, first_id=(1 << 24) - 2).__class__(one_time=_ring(3), one_time_kem=[]))
            assert (await phone.peer.call(keys)).one_time_left == 3
            taken = [(await shop.fetch(PHONE)).devices[0].one_time.id for _ in range(2)]
            assert taken == [(1 << 24) - 2, (1 << 24) - 1]
            assert (await phone.peer.call(keys)).one_time_left == 1
            assert (await shop.fetch(PHONE)).devices[0].one_time.id == 0
            assert (await shop.fetch(PHONE)).devices[0].one_time is None

    play(main)


def _ring(count: int) -> list:
    return [curve_key(((1 << 24) - 2 + index) % (1 << 24)) for index in range(count)]


def test_device_that_speaks_only_x3dh_registers_and_its_bundle_has_no_kem_key(tmp_path):
    async def main():
        prekeys = msgspec.structs.replace(upload(30, 0), last_resort=None)
        async with relay_at(tmp_path) as (_, url):
            phone, shop = await Party(url).connect(), await Party(url).join(SHOP)
            await phone.register(PHONE, prekeys=prekeys)
            await phone.attach()
            for left in (29, 28):
                [device] = (await shop.peer.call(FetchBundle(PHONE))).devices
                assert device.kem is None and device.one_time is not None
                assert device.signed == prekeys.signed and left > PREKEY_FLOOR
            assert phone.low == []
        async with relay_at(tmp_path) as (_, url):
            shop = await Party(url, shop.key).connect()
            await shop.attach()
            [device] = (await shop.peer.call(FetchBundle(PHONE))).devices
            assert device.kem is None and device.one_time == prekeys.one_time[2]
            phone = await Party(url, phone.key).connect()
            await phone.attach()
            await phone.peer.call(PutPreKeys(upload(0, 0)))
            [device] = (await shop.peer.call(FetchBundle(PHONE))).devices
            assert device.kem == upload().last_resort

    play(main)


def test_bundle_fetches_of_a_pair_are_limited_and_others_are_not(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock, bundle_burst=2, bundle_refill=0.1) as (_, url):
            shop, phone = await Party(url).join(SHOP), await Party(url).join(PHONE)
            await shop.fetch(PHONE), await shop.fetch(PHONE)
            with pytest.raises(RemoteRefused) as caught:
                await shop.fetch(PHONE)
            assert caught.value.code == "rate.limited" and 9_000 < caught.value.retry_after_ms <= 10_001
            await phone.fetch(PHONE)
            clock.now_ms += 10_001
            await shop.fetch(PHONE)
            assert await refused(shop.fetch("999123456789")) == "number.unknown"

    play(main)


def test_device_hears_when_its_stock_falls_to_the_floor(tmp_path):
    async def main():
        async with relay_at(tmp_path, bundle_burst=10) as (_, url):
            phone = await Party(url).join(PHONE, prekeys=upload(PREKEY_FLOOR + 2, KEM_PREKEY_FLOOR + 9))
            shop = await Party(url).join(SHOP)
            await shop.fetch(PHONE)
            assert not phone.low
            await shop.fetch(PHONE)
            await phone.until(lambda: phone.low)
            assert phone.low[0].one_time_left == PREKEY_FLOOR

    play(main)


def test_bad_upload_changes_nothing(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            phone = await Party(url).join(PHONE, prekeys=upload(2, 2))
            bad = PreKeyUpload(one_time=[curve_key(200)], one_time_kem=[msgspec.structs.replace(kem_key(200), id=-1)])
            assert await refused(phone.peer.call(PutPreKeys(bad))) == "bundle.invalid"
            answer = await phone.peer.call(PutPreKeys(PreKeyUpload(signed=upload().signed)))
            assert (answer.one_time_left, answer.one_time_kem_left) == (2, 2)

    play(main)


def test_attach_says_when_there_is_no_stock(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            phone = await Party(url).connect()
            await phone.register(PHONE)
            assert (await phone.attach()).prekeys_wanted
            await phone.peer.call(PutPreKeys(upload(1, 1)))
            assert not (await phone.attach()).prekeys_wanted

    play(main)


# ── attaching ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_newer_connection_of_a_phone_cuts_the_older(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            old = await Party(url).join(PHONE)
            new = await Party(url, old.key).connect()
            await new.attach()
            await old.until(lambda: old.is_lost)
            assert old.evicted == "attach.superseded"
            await new.until(lambda: new.drained_after)

    play(main)


def test_phone_with_a_token_is_known_again_after_a_restart_and_is_no_core(tmp_path):
    async def main():
        async with relay_at(tmp_path, post_burst=2) as (_, url):
            phone = await Party(url).connect()
            await phone.register(PHONE)
            await phone.attach(next_token=TOKENS[1], commit_seq=7)
            phone.post(*(envelope(n, PHONE) for n in range(3)), commit_seq=9)
            await phone.until(lambda: len(phone.results) == 3)
            assert list(phone.results.values()).count(PostState.REFUSED) == 1, "its posts are limited"
        async with relay_at(tmp_path) as (_, url):
            copy = await Party(url, phone.key).connect()
            assert await refused(copy.attach()) == "attach.superseded"
            assert await refused(copy.attach(next_token=TOKENS[2], commit_seq=9)) == "attach.superseded"
            wish = {"token": TOKENS[1], "next_token": TOKENS[2]}
            assert await refused(copy.attach(**wish, commit_seq=8)) == "attach.superseded"
            await copy.attach(**wish, commit_seq=9)

    play(main)


def test_phone_that_attaches_again_and_again_is_slowed_down(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock) as (_, url):
            phone = await Party(url).join(PHONE)
            for _ in range(ATTACH_BURST - 1):
                await phone.attach()
            assert await refused(phone.attach()) == "rate.limited"
            clock.now_ms += 1_000
            await phone.attach()

    play(main)


def test_token_moves_forward_and_an_older_copy_is_refused(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            core = await Party(url).connect()
            await core.register(SHOP, shards=2)
            await core.attach(shards=[0, 1], token=b"", next_token=TOKENS[1])
            copy = await Party(url, core.key).connect()
            assert await refused(copy.attach(shards=[0, 1], token=b"", next_token=TOKENS[2])) == "attach.superseded"
            assert await refused(copy.attach()) == "attach.superseded"
            assert await refused(copy.attach(shards=[2], next_token=TOKENS[2])) == "parameter.invalid"
            assert await refused(copy.attach(shards=[0], next_token=b"short")) == "parameter.invalid"
            await Party(url).join(PHONE)
            core.post(envelope(1, PHONE), commit_seq=50)
            await core.until(lambda: core.results)
            wish = {"shards": [0, 1], "token": TOKENS[1], "next_token": TOKENS[2]}
            assert await refused(copy.attach(**wish, commit_seq=49)) == "attach.superseded"
            assert not core.is_lost
            await copy.attach(**wish, commit_seq=50)
            await core.until(lambda: core.is_lost)
            assert core.evicted == "attach.superseded"
            retry = await Party(url, core.key).connect()
            await retry.attach(**wish, commit_seq=50)
            await copy.until(lambda: copy.is_lost)

    play(main)


def test_token_and_commit_number_survive_the_relay(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            core = await Party(url).connect()
            await core.register(SHOP)
            await core.attach(shards=[0], next_token=TOKENS[1], commit_seq=7)
            core.post(envelope(1, "4917139200000"), commit_seq=99)
            await core.until(lambda: core.results)
        async with relay_at(tmp_path) as (_, url):
            core = await Party(url, core.key).connect()
            wish = {"shards": [0], "token": TOKENS[1], "next_token": TOKENS[2]}
            assert await refused(core.attach(**wish, commit_seq=98)) == "attach.superseded"
            assert await refused(core.attach(**{**wish, "token": TOKENS[0]}, commit_seq=99)) == "attach.superseded"
            await core.attach(**wish, commit_seq=99)

    play(main)


def test_force_adopts_a_restored_copy_and_drops_its_one_time_keys(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            core = await Party(url).connect()
            await core.register(SHOP, prekeys=upload(5, 5))
            await core.attach(shards=[0], next_token=TOKENS[1], commit_seq=90)
            restored = await Party(url, core.key).connect()
            wish = {"shards": [0], "token": TOKENS[3], "next_token": TOKENS[4], "commit_seq": 3}
            assert await refused(restored.attach(**wish)) == "attach.superseded"
            answer = await restored.attach(**wish, force=True)
            assert answer.prekeys_wanted and answer.one_time_left == answer.one_time_kem_left == 0
            assert (await restored.peer.call(PutPreKeys(upload(2, 2)))).one_time_left == 2

    play(main)


# ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_thousand_messages_wait_and_come_once_and_in_order_while_more_arrive(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            shop, phone = await Party(url).join(SHOP), await Party(url).connect()
            await phone.register(PHONE)
            shop.acks_itself = phone.acks_itself = True
            for start in range(0, 1_000, 100):
                shop.post(*(envelope(name, PHONE) for name in range(start, start + 100)))
            await shop.until(lambda: len(shop.results) == 1_000)
            await phone.attach()
            for name in range(1_000, 1_300):
                shop.post(envelope(name, PHONE))
                if name % 10 == 0:
                    await asyncio.sleep(0)
            await phone.until(lambda: len(phone.items) == 1_300)
            assert [item.id for item in phone.items] == [envelope_id(name) for name in range(1_300)]
            await phone.until(lambda: phone.drained_after)
            await shop.until(lambda: len(shop.results) == 1_300)
            stored = {id for id, state in shop.results.items() if state == PostState.STORED}
            await shop.until(lambda: stored <= {item.id for item in shop.items})
            phone.post(envelope("answer", SHOP))
            await phone.until(lambda: phone.results == {envelope_id("answer"): PostState.DELIVERED})

    play(main)


def test_expired_message_is_reported_and_not_delivered(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock) as (relay, url):
            shop, phone = await Party(url).join(SHOP), await Party(url).connect()
            await phone.register(PHONE)
            shop.post(
                envelope(1, PHONE, expires_ms=clock.now_ms + 1_000),
                envelope(2, PHONE),
                envelope(3, PHONE, expires_ms=clock.now_ms + 90 * 86_400_000),
                envelope(4, PHONE, expires_ms=-5),
            )
            await shop.until(lambda: len(shop.results) == 4)
            clock.now_ms += 1_000
            await relay.sweep()
            await shop.until(lambda: len(shop.items) == 1)
            clock.now_ms += MESSAGE_TTL_MS - 2_000
            await phone.attach()
            await phone.until(lambda: phone.drained_after)
            assert [item.id for item in phone.items] == [envelope_id(2), envelope_id(3), envelope_id(4)]
            await phone.leave()
            clock.now_ms += 1_000
            while len(shop.items) < 4:  # what is in flight to a connection stays until the relay sees it end
                await relay.sweep()
                await asyncio.sleep(0.01)
            assert {(item.kind, item.sender.id) for item in shop.items} == {(Kind.EXPIRED, PHONE)}
            assert {item.id for item in shop.items} == {envelope_id(name) for name in (1, 2, 3, 4)}

    play(main)


def test_stored_messages_and_receipts_survive_the_relay(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            shop, phone = await Party(url).join(SHOP), await Party(url).connect()
            await phone.register(PHONE)
            shop.post(envelope(1, PHONE), envelope(2, PHONE))
            await shop.until(lambda: len(shop.results) == 2)
            await shop.leave()
        async with relay_at(tmp_path) as (_, url):
            phone = await Party(url, phone.key).connect()
            await phone.attach()
            await phone.until(lambda: len(phone.items) == 2)
            phone.ack(phone.items[0])
            await phone.leave()
            shop = await Party(url, shop.key).connect()
            await shop.attach()
            await shop.until(lambda: shop.items)
            assert [(item.kind, item.id) for item in shop.items] == [(Kind.DELIVERED, envelope_id(1))]
        async with relay_at(tmp_path) as (_, url):
            shop, phone = await Party(url, shop.key).connect(), await Party(url, phone.key).connect()
            await shop.attach(), await phone.attach()
            await shop.until(lambda: shop.items), await phone.until(lambda: phone.items)
            assert [item.id for item in phone.items] == [envelope_id(2)]
            assert [item.id for item in shop.items] == [envelope_id(1)]

    play(main)


def test_unacked_item_of_a_lost_connection_is_stored_though_the_relay_stops(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            shop, phone = await Party(url).join(SHOP), await Party(url).join(PHONE)
            shop.post(envelope(1, PHONE))
            await phone.until(lambda: phone.items)
        async with relay_at(tmp_path) as (_, url):
            phone = await Party(url, phone.key).connect()
            await phone.attach()
            await phone.until(lambda: [item.id for item in phone.items] == [envelope_id(1)])

    play(main)


def test_one_link_key_cannot_claim_two_numbers_at_once(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            greedy = await Party(url).connect()
            answers = await asyncio.gather(greedy.register(SHOP), greedy.register(PHONE), return_exceptions=True)
            assert sorted(type(answer).__name__ for answer in answers) == ["Registered", "RemoteRefused"]
            assert await refused(greedy.register("999123456789")) == "parameter.invalid"

    play(main)


def test_number_claimed_by_many_at_once_has_one_owner(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            rivals = [await Party(url).connect() for _ in range(20)]
            answers = await asyncio.gather(*(rival.register(SHOP) for rival in rivals), return_exceptions=True)
            assert sum(isinstance(answer, Registered) for answer in answers) == 1

    play(main)


def test_journal_has_each_envelope_once(tmp_path):
    async def main():
        journal = tmp_path / "journal.jsonl"
        async with relay_at(tmp_path, journal=str(journal)) as (_, url):
            shop = await Party(url).join(SHOP)
            await Party(url).join(PHONE)
            shop.post(envelope(1, PHONE, b"abc"), envelope(1, PHONE, b"abc"), envelope(2, "4917139200000"))
            await shop.until(lambda: len(shop.results) == 2)
        [line] = [msgspec.json.decode(line) for line in journal.read_bytes().splitlines()]
        assert (line["from"], line["to"], line["device"], line["kind"]) == (SHOP, PHONE, 1, 2)
        assert base64.b64decode(line["body"]) == b"abc" and base64.b64decode(line["id"]) == envelope_id(1)

    play(main)


def test_uploads_of_one_device_are_limited(tmp_path):
    async def main():
        async with relay_at(tmp_path, Clock()) as (_, url):
            phone = await Party(url).join(PHONE)
            for _ in range(UPLOAD_BURST):
                await phone.peer.call(PutPreKeys(PreKeyUpload()))
            assert await refused(phone.peer.call(PutPreKeys(PreKeyUpload()))) == "rate.limited"

    play(main)
