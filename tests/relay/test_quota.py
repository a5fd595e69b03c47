"""What one client may ask of the relay: posts, numbers, prekeys; fault 11, the stock that everybody wants."""

import asyncio

from pytest import raises

from corefast.errors import RemoteRefused, SetupError
from corefast.limits import LOOKUP_BURST, POST_BURST
from corefast.relay.config import RelayConfig
from corefast.relay.quota import Rates
from corefast.wire.messages import FindNumbers, PostResult, PostResults, PostState, PreKeyUpload, PutPreKeys

from .party import Clock, Party, curve_key, envelope, envelope_id, kem_key, play, relay_at, upload

SHOP, PHONE = "493023125000", "491713920001"
TOKEN = b"t" * 16


class Counting(Party):
    """A party that keeps whole results."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.told: list[PostResult] = []

    def received(self, peer, message, call):
        if isinstance(message, PostResults):
            self.told += message.results
        super().received(peer, message, call)


def test_a_phone_posts_its_burst_and_then_one_a_second(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock, post_burst=POST_BURST) as (_, url):
            shop = await Party(url).connect()
            await shop.register(SHOP)
            phone = await Counting(url).join(PHONE)
            phone.post(*(envelope(number, SHOP) for number in range(POST_BURST + 5)))
            await phone.until(lambda: len(phone.told) == POST_BURST + 5)
            refused = [result for result in phone.told if result.state == PostState.REFUSED]
            assert [result.id for result in refused] == [envelope_id(POST_BURST + each) for each in range(5)]
            assert {result.retry_after_ms for result in refused} == {1_001}
            clock.now_ms += 1_001
            phone.post(envelope("later", SHOP), envelope("too soon", SHOP))
            await phone.until(lambda: len(phone.told) == POST_BURST + 7)
            assert phone.results[envelope_id("later")] == PostState.STORED
            assert phone.results[envelope_id("too soon")] == PostState.REFUSED

    play(main)


def test_a_core_posts_without_limit_where_its_number_may(tmp_path):
    async def main():
        for bulk, expect in (("", PostState.STORED), (SHOP, PostState.STORED), (PHONE, PostState.REFUSED)):
            folder = tmp_path / (bulk or "all")
            folder.mkdir()
            async with relay_at(folder, post_burst=1, bulk=bulk) as (_, url):
                await Party(url).join(PHONE)
                core = await Party(url).connect()
                await core.register(SHOP)
                await core.attach(shards=[0], token=TOKEN, next_token=TOKEN, commit_seq=1)
                core.post(*(envelope(number, PHONE) for number in range(50)), commit_seq=1)
                await core.until(lambda core=core: len(core.results) == 50)
                assert core.results[envelope_id(49)] == expect

    play(main)


def test_numbers_are_asked_for_up_to_a_limit_whether_they_exist_or_not(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock, bundle_burst=10_000) as (_, url):
            phone, shop = await Party(url).join(PHONE), await Party(url).join(SHOP)

            async def ask(number: str) -> RemoteRefused | None:
                try:
                    await phone.fetch(number)
                except RemoteRefused as error:
                    return error
                return None

            answers = await asyncio.gather(*(ask(f"4917139{number:05}") for number in range(LOOKUP_BURST - 1)))
            assert {error.code for error in answers if error} == {"number.unknown"}
            assert await ask(SHOP) is None
            for number in (SHOP, "491713999999"):
                error = await ask(number)
                assert error is not None and error.code == "rate.limited" and 3_000 < error.retry_after_ms <= 4_001
            await shop.fetch(PHONE)
            clock.now_ms += 4_001
            assert await ask(SHOP) is None

    play(main)


def test_numbers_are_found_without_a_prekey_within_the_same_limit(tmp_path):
    async def main():
        async with relay_at(tmp_path, lookup_burst=4) as (_, url):
            shop = await Party(url).connect()
            await shop.register(SHOP)
            with raises(RemoteRefused) as refused:
                await (await Party(url).connect()).peer.call(FindNumbers([SHOP]))
            assert refused.value.code == "link.not_attached"
            phone = await Party(url).join(PHONE)
            assert (await phone.peer.call(FindNumbers([SHOP, "4930111", PHONE]))).numbers == [SHOP, PHONE]
            for numbers, code in ((["4930111"] * 1_001, "parameter.invalid"), ([SHOP, SHOP], "rate.limited")):
                with raises(RemoteRefused) as refused:
                    await phone.peer.call(FindNumbers(numbers))
                assert refused.value.code == code

    play(main)


def test_the_last_one_time_prekey_that_a_hundred_ask_for_at_once_is_taken_once(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            phone = await Party(url).join(PHONE, prekeys=upload(1, 1))
            askers = [await Party(url).connect() for _ in range(100)]
            for place, asker in enumerate(askers):
                await asker.register(f"49171393{place:04}")
                await asker.attach()
            bundles = await asyncio.gather(*(asker.fetch(PHONE) for asker in askers))
            devices = [bundle.devices[0] for bundle in bundles]
            assert [device.one_time.id for device in devices if device.one_time] == [100]
            assert sorted(device.kem.id for device in devices) == [1] * 99 + [100]
            await phone.until(lambda: phone.low)
            assert (phone.low[-1].one_time_left, phone.low[-1].one_time_kem_left) == (0, 0)

    play(main)


def test_a_drained_stock_is_filled_after_the_notice_and_given_out_again(tmp_path):
    async def main():
        async with relay_at(tmp_path, bundle_burst=100) as (_, url):
            phone = await Party(url).join(PHONE, prekeys=upload(2, 2))
            shop = await Party(url).join(SHOP)
            assert [(await shop.fetch(PHONE)).devices[0].kem.id for _ in range(4)] == [100, 101, 1, 1]
            await phone.until(lambda: phone.low)
            fresh = PreKeyUpload(one_time=[curve_key(102)], one_time_kem=[kem_key(102)])
            assert (await phone.peer.call(PutPreKeys(fresh))).one_time_left == 1
            device = (await shop.fetch(PHONE)).devices[0]
            assert device.one_time is not None and (device.one_time.id, device.kem.id) == (102, 102)

    play(main)


def test_a_list_of_bulk_numbers_that_is_none_is_refused():
    with raises(SetupError):
        Rates.of(RelayConfig(data_dir="x", bulk="shop"))
    assert Rates.of(RelayConfig(data_dir="x", bulk=f"+{SHOP}, {PHONE}")).bulk == {SHOP, PHONE}
