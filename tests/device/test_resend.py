"""Phones at a real relay that lose their sessions: what cannot be read comes once more, once."""

import asyncio
import sqlite3
import time
from contextlib import AsyncExitStack

import msgspec
import pytest
from prometheus_client import REGISTRY

from corefast.device import MessageReceived, Ready, StatusChanged, Unreadable
from corefast.device.draft import draft
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.resend import HOUR_MS
from corefast.limits import MAX_RESENDS
from corefast.store.database import Unit
from corefast.wire.body import Text
from corefast.wire.content import ResendRequest, Unsupported, decode_content, encode_content
from tests.device.test_linking import linked
from tests.device.world import World, run


def outcomes(*names):
    """Return how often each outcome was counted in this process, by all phones."""
    return [REGISTRY.get_sample_value("corefast_device_resend_total", {"outcome": name}) or 0 for name in names]


def change(home, *statements):
    """Change a phone's database while it is off; return what the last statement returned."""
    rows = []
    with sqlite3.connect(home / "phone.sqlite") as database:
        for sql, *params in statements:
            rows = database.execute(sql, params).fetchall()
    database.close()
    return rows


async def talk(first, second, turns=2):
    """Let two phones write to each other in turn."""
    for _ in range(turns):
        for writer, reader in ((first, second), (second, first)):
            await writer.device.send_text(reader.device.number, "a turn")
            await reader.until(MessageReceived)


async def request(asker, number, ids):
    """Have a phone ask for messages as if it could not read them."""
    await asker.device._accept(Unit(), [draft(asker.device._profile, number, ResendRequest(ids))])


async def counted(name, count):
    """Return once an outcome was counted so often."""
    async with asyncio.timeout(20):
        while outcomes(name)[0] < count:
            await asyncio.sleep(0.02)


def lost(watched):
    """Return id and text of what a phone told of the lost messages, with every repeat."""
    return [(e.id, e.text) for e in watched.events if isinstance(e, MessageReceived) and e.text.startswith("lost")]


@pytest.mark.parametrize("fault", ["deleted", "flipped", "yesterday"])
def test_message_for_a_lost_session_arrives_after_all_once_and_under_its_id(tmp_path, relay_url, fault):
    async def main():
        w = World(tmp_path, relay_url)
        home = w.home(w.bob)
        async with w.device(w.alice) as alice:
            async with w.device(w.bob) as bob:
                await bob.until(Ready)
                await talk(alice, bob)
            old = change(home, ("SELECT number, device, snapshot FROM session",))
            async with w.device(w.bob) as bob:
                await talk(alice, bob)
            if fault == "yesterday":
                change(home, *(("UPDATE session SET snapshot = ? WHERE number = ?", row[2], row[0]) for row in old))
            elif fault == "deleted":
                change(home, ("DELETE FROM session",))
            else:
                change(
                    home, ("UPDATE session SET snapshot = substr(snapshot, 1, 40) || zeroblob(length(snapshot) - 40)",)
                )
            sent = [await alice.device.send_text(w.bob, f"lost {n}") for n in range(3)]
            async with w.device(w.bob) as bob:
                while len(lost(bob)) < 3:
                    await bob.until(MessageReceived)
                await bob.device.mark_read(sent)
                await alice.until(StatusChanged, count=3, status="read")
                await alice.device.send_text(w.bob, "next")
                await bob.until(MessageReceived, text="next")
                assert sorted(lost(bob)) == sorted((sent[n], f"lost {n}") for n in range(3))
                await bob.device.mark_shown(bob.events)
            statuses = [(e.id, e.status) for e in alice.events if isinstance(e, StatusChanged)]
            assert len(statuses) == len(set(statuses))
            async with w.device(w.bob) as bob:
                await alice.device.send_text(w.bob, "last")
                await bob.until(MessageReceived, text="last")
                assert [e for e in bob.events if isinstance(e, Unreadable)] == []

    run(main)


def test_resend_of_what_only_a_later_release_knows_takes_the_place_of_its_record(tmp_path, relay_url, monkeypatch):
    def of_a_later_release(content):
        return encode_content(content).replace(b"\x92\x00\x63", b"\x92\x63\x01")  # a body of kind 99

    async def main():
        w = World(tmp_path, relay_url)
        monkeypatch.setattr("corefast.device.resending.encode_content", of_a_later_release)
        async with w.device(w.alice) as alice:
            async with w.device(w.bob) as bob:
                await bob.until(Ready)
                await talk(alice, bob)
            change(w.home(w.bob), ("DELETE FROM session",))
            row = draft(alice.device._profile, w.bob, Text("lost"))
            content = msgspec.structs.replace(decode_content(row.content), body=Unsupported(99))
            await alice.device._accept(Unit(), [row._replace(content=of_a_later_release(content))])
            async with w.device(w.bob) as bob:
                await bob.until(Unreadable, id=row.id)
                await bob.until(MessageReceived, id=row.id, body=Unsupported(99))
                await alice.device.send_text(w.bob, "next")
                await bob.until(MessageReceived, text="next")
                told = [event for event in bob.events if isinstance(event, MessageReceived | Unreadable)]
                assert [type(event) for event in told[-3:]] == [Unreadable, MessageReceived, MessageReceived]
                assert sum(event.id == row.id for event in told) == 2

    run(main)


def test_two_sides_that_cannot_read_each_other_meet_again(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await bob.until(Ready)
            await talk(alice, bob)
            both = ((alice, w.bob), (bob, w.alice))
            peers = [watched.device._profile.directory._peers[number] for watched, number in both]
            old = [peer.devices[1].record() for peer in peers]
            await talk(alice, bob)
            for peer, record in zip(peers, old, strict=True):
                peer.devices[1] = Correspondent.restore(record)
            for number in range(3):
                await asyncio.gather(*(each.device.send_text(to, f"across {number}") for each, to in both))
            for each, _ in both:
                while len({e.text for e in each.events if isinstance(e, MessageReceived)} - {"a turn"}) < 3:
                    await each.until(MessageReceived)
            await talk(alice, bob)
            for each, _ in both:
                texts = [e.text for e in each.events if isinstance(e, MessageReceived) and e.text != "a turn"]
                assert sorted(texts) == [f"across {number}" for number in range(3)]

    run(main)


@pytest.mark.parametrize("is_away", [False, True])
def test_each_device_of_a_number_gets_what_none_of_them_could_read_also_one_that_asks_late(
    tmp_path, relay_url, is_away
):
    async def main():
        w = World(tmp_path, relay_url)
        async with AsyncExitStack() as stack:
            alice = await stack.enter_async_context(w.device(w.alice))
            bob = await stack.enter_async_context(w.device(w.bob))
            await bob.until(Ready), await alice.until(Ready)
            away = await stack.enter_async_context(AsyncExitStack())
            second = await away.enter_async_context(linked(w, bob, "second"))
            await talk(alice, bob), await second.until(MessageReceived, 2)
            await talk(second, alice), await bob.until(MessageReceived, 2)
            peer = alice.device._profile.directory._peers[w.bob]
            old = {device: each.record() for device, each in peer.devices.items()}
            await talk(alice, bob), await second.until(MessageReceived, 2)
            await talk(second, alice), await bob.until(MessageReceived, 2)
            if is_away:
                await away.aclose()
            for device, record in old.items():  # some of their counters are used up now, others fit no chain
                peer.devices[device] = Correspondent.restore(record)
            sent = [await alice.device.send_text(w.bob, f"lost {n}") for n in range(3)]
            while len(lost(bob)) < 3:
                await bob.until(MessageReceived)
            if is_away:
                second = await stack.enter_async_context(w.device("", home="second"))
            while len(lost(second)) < 3:
                await second.until(MessageReceived)
            for each in (bob, second):
                assert sorted(lost(each)) == sorted((sent[n], f"lost {n}") for n in range(3))
                assert {e.id for e in each.events if isinstance(e, Unreadable)} <= set(sent)
            await talk(alice, bob), await second.until(MessageReceived, 2)
            assert not alice.device._resending._tasks and not alice.device._profile.book.debtors

    run(main)


def test_requests_of_a_peer_in_a_loop_and_for_messages_of_others_change_nothing(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob, w.device(w.eve) as eve:
            await bob.until(Ready)
            await eve.until(Ready)
            sent = await alice.device.send_text(w.bob, "for bob")
            await bob.until(MessageReceived)
            before = outcomes("resent", "refused_unknown", "refused_limit", "unasked")
            await request(eve, w.alice, [sent])
            await counted("refused_unknown", before[1] + 1)
            for times in range(MAX_RESENDS):
                await request(bob, w.alice, [sent, sent])
                await counted("resent", before[0] + times + 1)
            await request(bob, w.alice, [sent])
            await counted("refused_limit", before[2] + 1)
            await counted("unasked", before[3] + MAX_RESENDS)
            await alice.device.send_text(w.bob, "end")
            await bob.until(MessageReceived, text="end")
            assert [e.text for e in bob.events if isinstance(e, MessageReceived)] == ["for bob", "end"]
            assert outcomes("resent")[0] == before[0] + MAX_RESENDS

    run(main)


def test_what_was_sent_is_kept_for_some_hours_and_then_emptied(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        shift = [0]

        def clock():
            return time.time_ns() // 1_000_000 + shift[0]

        async with w.device(w.bob) as bob, w.device(w.alice, resend_hours=2, clock=clock) as alice:
            await bob.until(Ready)
            sent = await alice.device.send_text(w.bob, "kept")
            await alice.until(StatusChanged, status="delivered")
            query = ("SELECT length(content) > 0, identity IS NOT NULL FROM outbox WHERE id = ?", sent)
            await alice.device._profile.sweep()
            assert change(w.home(w.alice), query) == [(1, 1)]
            before = outcomes("refused_age")
            shift[0] = 2 * HOUR_MS + 1_000
            await request(bob, w.alice, [sent])
            await counted("refused_age", before[0] + 1)
            await alice.device._profile.sweep()
            assert change(w.home(w.alice), query) == [(0, 1)]
            assert (await alice.device.status(sent))[0].name == "DELIVERED"

    run(main)
