"""Settings of a running core: what they change at once, and what is left of them after a restart."""

import asyncio

import msgspec
import pytest

from corefast.errors import RemoteRefused
from corefast.wire.body import Text
from corefast.wire.certificates import GetAuthorities, GetServerCertificate, SetAuthorities, SetServerCertificate
from corefast.wire.event import EventKind
from corefast.wire.settings import (
    BusinessProfile,
    DropProvider,
    GetApplication,
    GetProfile,
    GetProviders,
    PatchApplication,
    PatchProfile,
    Provider,
    ProviderLogin,
    PutProviders,
    ResetApplication,
)
from corefast.wire.webhook import ClaimDeliveries, GetWebhook, Outcome, ReportDeliveries
from tests.core.fake import Phone
from tests.core.world import BUSINESS, CUSTOMER, OTHER, story

URL = "https://example.test/hook"


async def patch(w, change):
    view = await w.front.call(PatchApplication(BUSINESS, msgspec.json.encode(change)))
    return msgspec.json.decode(view.settings)


async def settings(w):
    return msgspec.json.decode((await w.front.call(GetApplication(BUSINESS))).settings)


async def claim(emitter):
    return await emitter.call(ClaimDeliveries(100, 2_000))


async def report(emitter, deliveries, delivered=True):
    await emitter.call(ReportDeliveries([Outcome(each.event.id, delivered) for each in deliveries]))


def test_a_change_keeps_what_it_does_not_name_and_outlives_a_restart(tmp_path):
    async def main(w):
        before = await settings(w)
        assert before["wa_id"] == BUSINESS and before["webhooks"]["url"] == ""
        await patch(
            w, {"webhooks": {"url": URL, "message": {"read": False}}, "heartbeat_interval": "7", "odd": {"a": 1}}
        )
        await patch(w, {"odd": {"b": [1]}, "wa_id": "1"})
        found = await settings(w)
        await w.restart()
        assert await settings(w) == found
        assert found["webhooks"]["url"] == URL and found["wa_id"] == BUSINESS
        assert found["webhooks"]["message"] == {"sent": True, "delivered": True, "read": False}
        assert (found["heartbeat_interval"], found["odd"]) == ("7", {"a": 1, "b": [1]})
        await w.front.call(ResetApplication(BUSINESS))
        assert await settings(w) == before

    story(main, tmp_path)


def test_a_setting_is_sealed(tmp_path, engine):
    async def main(w):
        await patch(w, {"webhooks": {"url": "https://user:hunter2@example.test/"}, "odd": "planted-word"})
        login = ProviderLogin(bearer="planted-bearer")
        await w.front.call(PutProviders(BUSINESS, [Provider("cdn1", "www", login)]))
        await w.front.call(GetServerCertificate())
        stored = engine.content(tmp_path / "core")
        for word in (b"hunter2", b"planted-word", b"planted-bearer", b"PRIVATE KEY"):
            assert word not in stored

    story(main, tmp_path)


def test_the_webhook_of_the_start_does_not_undo_one_that_was_set_since(tmp_path):
    async def main(w):
        assert (await w.front.call(GetWebhook())).url == "https://start.test/"
        await patch(w, {"webhooks": {"url": URL}})
        await w.restart(webhook="https://start.test/")
        assert (await w.front.call(GetWebhook())).url == URL
        await w.restart(webhook="https://other.test/")
        assert (await w.front.call(GetWebhook())).url == "https://other.test/"

    story(main, tmp_path, webhook="https://start.test/")


def test_statuses_are_posted_as_the_settings_say(tmp_path):
    async def main(w):
        view = await patch(w, {"webhooks": {"url": URL, "max_concurrent_requests": "12"}, "sent_status": False})
        assert view["webhooks"]["message"]["sent"] is view["sent_status"] is False
        emitter = await w.emitter()
        await w.send("hi")
        found = await claim(emitter)
        assert [each.event.kind for each in found.deliveries] == [EventKind.DELIVERED]
        assert found.webhook.concurrency == 12
        emitter.close()

    story(main, tmp_path)


def test_a_back_off_that_is_set_grows_linearly_up_to_its_ceiling(tmp_path):
    async def main(w):
        await patch(w, {"webhooks": {"url": URL}, "callback_backoff_delay_ms": "40000", "sent_status": False})
        await patch(w, {"max_callback_backoff_delay_ms": 100_000})
        emitter = await w.emitter()
        await w.send("hi")
        for delay_ms in (40_000, 80_000, 100_000, 100_000):
            found = await claim(emitter)
            assert len(found.deliveries) == 1
            await report(emitter, found.deliveries, delivered=False)
            w.clock.now_ms += delay_ms - 1
            assert (await emitter.call(ClaimDeliveries(100, 0))).deliveries == []
            w.clock.now_ms += 1
        emitter.close()

    story(main, tmp_path)


def test_with_pass_through_bodies_are_gone_once_they_have_arrived(tmp_path):
    async def main(w):
        await patch(w, {"webhooks": {"url": URL, "message": {"sent": False, "delivered": False}}, "pass_through": True})
        emitter = await w.emitter()
        sent = await w.send("secret words")
        await w.statuses(2)
        view = await w.view(sent.id)
        assert view.body is None and view.state == "delivered"
        w.phone.meet(w.relay.bundle_of_business())
        w.relay.deliver(w.phone.write("other words"))
        (event,) = await w.events(1, EventKind.MESSAGE)
        assert event.body == Text("other words")
        await report(emitter, (await claim(emitter)).deliveries)
        (event,) = await w.events(1, EventKind.MESSAGE)
        assert event.body is None
        emitter.close()

    story(main, tmp_path)


def test_media_providers_are_added_changed_and_dropped(tmp_path):
    async def main(w):
        first, second = (Provider("cdn1", "www", ProviderLogin(bearer=word)) for word in ("a", "b"))
        await w.front.call(PutProviders(BUSINESS, [first]))
        await w.front.call(PutProviders(BUSINESS, [second]))
        await w.restart()
        assert (await w.front.call(GetProviders(BUSINESS))).providers == [second]
        assert (await w.front.call(DropProvider(BUSINESS, "cdn1"))).providers == []
        with pytest.raises(RemoteRefused) as refused:
            await w.front.call(DropProvider(BUSINESS, "cdn1"))
        assert refused.value.code == "provider.unknown"

    story(main, tmp_path)


def test_settings_of_another_account_are_not_told(tmp_path):
    async def main(w):
        for request in (GetApplication(CUSTOMER), PatchApplication(CUSTOMER, b"{}"), GetProviders(CUSTOMER)):
            with pytest.raises(RemoteRefused) as refused:
                await w.front.call(request)
            assert refused.value.code == "account.unknown"

    story(main, tmp_path)


def test_the_own_certificate_stays_until_it_ends_soon_or_lacks_a_name(tmp_path):
    async def main(w):
        async def version(*names):
            return (await w.front.call(GetServerCertificate(list(names)))).version

        first = await version()
        assert await version("localhost") == first
        await w.restart()
        assert await version() == first
        named = await version("shop.example")
        assert named != first and await version() == named
        known = await w.front.call(GetServerCertificate([], named))
        assert (known.chain, known.key) == ("", "")
        w.clock.now_ms += 380 * 86_400_000
        assert await version() != named

    story(main, tmp_path)


def test_what_another_core_stores_is_taken_over(tmp_path):
    async def main(w):
        await patch(w, {"odd": 1})
        await w.core.watch.look()
        w.business.schedule.effect = None
        await w.core.watch.look()
        assert w.business.schedule.effect is None  # nothing new: nothing is read
        await patch(w, {"odd": 2})
        w.business.schedule.effect = None
        await w.core.watch.look()
        assert w.business.schedule.effect.concurrency == 24

    story(main, tmp_path)


def test_one_look_serves_all_numbers_and_what_fails_for_one_is_tried_again(tmp_path):
    async def main(w):
        second = await w.core.make("493023125001")
        w.core.serve(second)
        looks, versions = [], w.core._settings.versions

        async def counted():
            looks.append(1)
            return await versions()

        def broken(fields):
            raise OSError("unforeseen")

        w.core._settings.versions = counted
        await w.core.watch.look()
        for business in (w.business, second):
            await w.front.call(PatchApplication(business.context.number, b'{"pass_through":true}'))
            business.context.pass_through = False
        w.business.settings._apply, apply = broken, w.business.settings._apply
        await w.core.watch.look()
        assert (w.business.context.pass_through, second.context.pass_through, len(looks)) == (False, True, 2)
        w.business.settings._apply = apply
        await w.core.watch.look()
        assert w.business.context.pass_through

    story(main, tmp_path)


def test_settings_and_the_webhook_among_them_are_stored_in_one_unit(tmp_path):
    async def main(w):
        units, commit = [], w.business.context.database.commit

        def counted(unit):
            units.append(" ".join(op[0].sqlite for op in unit.ops))
            return commit(unit)

        w.business.context.database.commit = counted
        await patch(w, {"webhooks": {"url": URL}, "odd": 1})
        stored = [unit for unit in units if "INTO webhook" in unit or "INTO setting" in unit]
        assert len(stored) == 1 and "INTO webhook " in stored[0] and "INTO setting " in stored[0]

    story(main, tmp_path)


def test_emitters_may_ask_for_the_trusted_authorities_and_no_more(tmp_path):
    async def main(w):
        emitter = await w.emitter()
        for request, code in (
            (GetAuthorities(), "certificate.unknown"),
            (SetAuthorities(""), "scope.missing"),
            (SetServerCertificate(""), "scope.missing"),
            (GetServerCertificate(), "scope.missing"),
            (GetApplication(""), "scope.missing"),
        ):
            with pytest.raises(RemoteRefused) as refused:
                await emitter.call(request)
            assert refused.value.code == code
        emitter.close()

    story(main, tmp_path)


def test_changes_and_lacks_of_keys_are_posted_unless_the_settings_say_no(tmp_path):
    async def main(w):
        quiet = {"message": {"sent": False, "delivered": False}}
        await patch(w, {"webhooks": {"url": URL} | quiet, "show_security_notifications": False})
        emitter = await w.emitter()
        await w.send("hi")
        await w.statuses(2)
        phone = Phone(CUSTOMER)
        w.relay.replace(phone)
        phone.meet(w.relay.bundle_of_business())
        w.relay.deliver(phone.write("from my new phone"))
        await w.events(1, EventKind.IDENTITY_CHANGED)
        lacking = Phone(OTHER)
        lacking.has_kem = False
        w.relay.add(lacking)
        await w.send("to old software", OTHER)
        await w.events(1, EventKind.BUNDLE_DOWNGRADED)
        assert [each.event.kind for each in (await claim(emitter)).deliveries] == [EventKind.MESSAGE]
        emitter.close()

    story(main, tmp_path)


def test_profile_fields_that_two_clients_change_at_a_time_are_both_kept(tmp_path):
    async def main(w):
        first = w.front.call(PatchProfile(BUSINESS, business=BusinessProfile(address="Street 1")))
        second = w.front.call(PatchProfile(BUSINESS, business=BusinessProfile(email="a@shop.test")))
        await asyncio.gather(first, second)
        found = (await w.front.call(GetProfile(BUSINESS))).business
        assert (found.address, found.email) == ("Street 1", "a@shop.test")

    story(main, tmp_path)


def test_name_of_the_business_goes_with_each_message_also_after_a_restart_until_it_is_taken_away(tmp_path):
    async def main(w):
        names = []
        for name in ("Café & Söhne", None, ""):
            if name is None:
                await w.restart()
                await w.attached()
            else:
                await w.front.call(PatchProfile(BUSINESS, business=BusinessProfile(name)))
            await w.send("hi")
            await w.relay.until(lambda: len(w.relay.posts) > len(names))
            names.append(w.phone.read(w.relay.posts[-1].parts[0]).name)
        assert names == ["Café & Söhne", "Café & Söhne", ""]

    story(main, tmp_path)


def test_what_nobody_foresaw_ends_neither_housekeeping_nor_the_look_at_settings(tmp_path):
    async def main(w):
        class Enough(Exception):
            pass

        def unforeseen(*args):
            raise OSError("the folder is gone")

        rounds = []

        async def sleep(seconds):
            rounds.append(seconds)
            if len(rounds) == 3:
                raise Enough

        w.business.media.sweep_open = unforeseen
        w.core._settings.versions = unforeseen
        for each in (w.business.duties, w.core.watch):
            rounds.clear()
            with pytest.raises(Enough):
                await each.run(sleep)

    story(main, tmp_path)
