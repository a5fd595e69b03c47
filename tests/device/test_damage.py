"""A flipped byte in a phone's database: noticed, told where somebody waits for it, and the phone goes on."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from corefast.device import Device, MessageReceived, Ready, StatusChanged, Unreadable
from corefast.device.store.outbox import State
from corefast.endpoint.stock import KeyKind
from corefast.errors import SealBroken, SetupError
from corefast.store.database import Statement, Unit
from corefast.store.migrate import load_migrations
from corefast.store.sqlite import open_sqlite
from tests.device.world import World, run

DAMAGED = SealBroken.code

SEALED = "SELECT {1} FROM {0} WHERE {2}"
SEAL = "UPDATE {0} SET {1} = ? WHERE {2}"
NEWEST = "kind = {0} AND id = (SELECT max(id) FROM prekey WHERE kind = {0})"


@asynccontextmanager
async def opened(home):
    database = await open_sqlite(home / "phone.sqlite", load_migrations("corefast.device.store"))
    try:
        yield database
    finally:
        await database.close()


async def execute(home, sql, *params):
    """Change exactly one row."""
    unit = Unit()
    unit.add(Statement(sql), *params, rows=1)
    async with opened(home) as database:
        await database.commit(unit)


async def spoil(home, table, column, where="1"):
    """Flip a bit in the middle of the sealed column of one row."""
    async with opened(home) as database:
        [(value,)] = await database.fetch(Statement(SEALED.format(table, column, where)))
    damaged = bytearray(value)
    damaged[len(damaged) // 2] ^= 1
    await execute(home, SEAL.format(table, column, where), bytes(damaged))


@asynccontextmanager
async def acquainted(w):
    """Alice, who is on, and Bob, who is off after they have talked."""
    async with w.device(w.alice) as alice:
        async with w.device(w.bob) as bob:
            await bob.until(Ready)
            await alice.device.send_text(w.bob, "hello")
            await bob.until(MessageReceived)
            await bob.device.send_text(w.alice, "hello back")
            await alice.until(MessageReceived)
            await bob.until(StatusChanged, status="delivered")
        yield alice


@pytest.mark.parametrize(("table", "column"), [("session", "snapshot"), ("peer", "identity")])
def test_damaged_session_or_identity_is_replaced_when_the_phone_writes(tmp_path, relay_url, table, column):
    async def main():
        w = World(tmp_path, relay_url)
        async with acquainted(w) as alice:
            await spoil(w.home(w.bob), table, column)
            async with w.device(w.bob) as bob:
                await bob.device.send_text(w.alice, "after the damage")
                await alice.until(MessageReceived, text="after the damage")
                await alice.device.send_text(w.bob, "understood")
                await bob.until(MessageReceived, text="understood")

    run(main)


def test_message_for_a_damaged_session_is_told_and_the_next_is_read(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with acquainted(w) as alice:
            await spoil(w.home(w.bob), "session", "snapshot")
            sent = await alice.device.send_text(w.bob, "for the old session")
            async with w.device(w.bob) as bob:
                [told] = await bob.until(Unreadable)
                assert told.id == sent
                await bob.device.send_text(w.alice, "please repeat")
                await alice.until(MessageReceived, text="please repeat")
                await alice.device.send_text(w.bob, "for the new session")
                await bob.until(MessageReceived, text="for the new session")

    run(main)


def test_damaged_row_of_the_inbox_is_told_as_unreadable_beside_the_others(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            async with w.device(w.bob) as bob:
                await bob.until(Ready)
                ids = [await alice.device.send_text(w.bob, text) for text in ("0", "1", "2")]
                await alice.until(StatusChanged, count=3, status="delivered")
        await spoil(w.home(w.bob), "inbox", "content", "seq = 2")
        bob = await Device.open(w.home(w.bob), None, w.bob)
        found = [event async for event in told(bob, 3)]
        await bob.close()
        assert [(event.id, getattr(event, "text", "")) for event in found] == list(
            zip(ids, ("0", "", "2"), strict=True)
        )
        assert isinstance(found[1], Unreadable) and found[1].code == DAMAGED

    async def told(device, count):
        async for event in device.events():
            yield event
            count -= 1
            if not count:
                return

    run(main)


def test_damaged_message_that_waits_fails_and_the_next_is_sent(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            await alice.until(Ready)
            bob = await Device.open(w.home(w.bob), None, w.bob)
            first, second = [await bob.send_text(w.alice, text) for text in ("damaged", "whole")]
            await bob.close()
            await spoil(w.home(w.bob), "outbox", "content", "seq = 1")
            async with w.device(w.bob) as bob:
                await alice.until(MessageReceived, text="whole")
                assert await bob.device.status(first) == (State.FAILED, DAMAGED)
                assert (await bob.device.status(second))[0] >= State.ENCRYPTED

    run(main)


def test_damaged_ciphertext_that_waits_is_made_anew(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with acquainted(w) as alice:
            bob = await Device.open(w.home(w.bob), None, w.bob)
            sent = await bob.send_text(w.alice, "in spite of it")
            while await bob.status(sent) != (State.ENCRYPTED, ""):
                await asyncio.sleep(0)
            await bob.close()
            await execute(w.home(w.bob), "UPDATE outbox SET parts = x'c1' WHERE state = 1")
            async with w.device(w.bob):
                [text] = await alice.until(MessageReceived, text="in spite of it")
                assert text.id == sent

    run(main)


def test_damaged_prekeys_are_left_out_and_the_current_ones_made_anew(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with acquainted(w) as alice:
            async with w.device(w.bob) as bob:
                before = bob.device._profile.own
            for kind in KeyKind:
                await spoil(w.home(w.bob), "prekey", "private", NEWEST.format(int(kind)))
            async with w.device(w.bob) as bob:
                await bob.until(Ready)
                own = bob.device._profile.own
                assert len(own.one_time) == len(before.one_time) - 1
                assert len(own.one_time_kem) == len(before.one_time_kem) - 1
                assert own.signed.keys().isdisjoint(before.signed) and len(own.signed) == 1
                await alice.device.send_text(w.bob, "goes on")
                await bob.until(MessageReceived, text="goes on")

    run(main)


@pytest.mark.parametrize("column", ["own_keys", "link_key"])
def test_damaged_account_is_refused_with_the_remedy(tmp_path, column):
    async def main():
        w = World(tmp_path, "")
        await (await Device.open(w.home(w.bob), None, w.bob)).close()
        await spoil(w.home(w.bob), "account", column)
        with pytest.raises(SetupError, match="restore a backup"):
            await Device.open(w.home(w.bob), None, w.bob)

    run(main)
