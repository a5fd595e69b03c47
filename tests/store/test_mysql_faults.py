"""What goes wrong with a server, and that each unit is committed once or refused with its reason."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvloop

from corefast.errors import RowCountUnexpected, StoreBusy, StoreFull
from corefast.store.database import Database, Unit
from corefast.store.mysql.address import Address
from corefast.store.mysql.database import open_mysql
from corefast.store.mysql.session import WRITER, Session, Timing, connect
from tests.store.conftest import NOTES
from tests.store.test_commit import ALL, APPEND, COUNT, PUT, RENAME, count, unit_of
from tests.support.mariadb import MariaDB, running
from tests.support.proxy import Fault, Proxy

HASTY = Timing(answer_s=2.0, lock_s=1, give_up_s=3.0, frozen_s=1, heartbeat_s=0.2)


@contextlib.asynccontextmanager
async def opened(address: Address, timing: Timing = HASTY, owner: str = "main") -> AsyncIterator[Database]:
    database = await open_mysql(address, [NOTES], timing=timing, owner=owner)
    try:
        yield database
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def stranger(address: Address) -> AsyncIterator[Session]:
    """Somebody else with a transaction of his own."""
    session = await connect(address, Timing())
    try:
        yield session
    finally:
        await session.close()


# ── a commit whose outcome is unknown ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.SILENT, Fault.LATE])
def test_a_commit_without_an_answer_happens_once(address: Address, fault: Fault) -> None:
    async def main() -> None:
        proxy = Proxy(address.port)
        await proxy.start()
        batches: list[int] = []
        async with opened(address._replace(port=proxy.port)) as database:
            database.on_batch(lambda units, seconds: batches.append(units))
            await database.commit(unit_of(APPEND, "before"))
            proxy.fault = fault
            answers = await asyncio.gather(*[database.commit(unit_of(APPEND, "in doubt")) for _ in range(3)])
            assert [rows[0][0][1] for rows in answers] == ["in doubt"] * 3
            await database.commit(unit_of(APPEND, "after"))
            assert [row[1] for row in await database.fetch(ALL)] == ["before", *["in doubt"] * 3, "after"]
        assert proxy.faults == 1
        assert batches == [1, 3, 1]
        await proxy.stop()

    uvloop.run(main())


def test_a_commit_in_doubt_waits_for_a_server_that_comes_back(server: MariaDB, address: Address) -> None:
    async def main() -> None:
        proxy = Proxy(address.port)
        await proxy.start()
        async with opened(address._replace(port=proxy.port)) as database:
            proxy.fault = Fault.CUT_AFTER
            waiting = database.commit(unit_of(APPEND, "in doubt"))
            while not proxy.faults:
                await asyncio.sleep(0.01)
            server.kill()
            await asyncio.sleep(HASTY.give_up_s + 0.5)
            assert not waiting.done()
            server.start()
            await waiting
            assert await count(database) == 1
        await proxy.stop()

    uvloop.run(main())


# ── two of us ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_later_process_takes_over_and_the_earlier_one_commits_nothing_more(address: Address) -> None:
    async def main() -> None:
        async with opened(address) as earlier:
            await earlier.commit(unit_of(APPEND, "a"))
            async with opened(address) as later:
                with pytest.raises(RowCountUnexpected, match="another process has taken"):
                    await earlier.commit(unit_of(APPEND, "zombie"))
                await later.commit(unit_of(APPEND, "b"))
                async with opened(address, owner="other") as beside:
                    await beside.commit(unit_of(APPEND, "c"))
                    await later.commit(unit_of(APPEND, "d"))
                assert [row[1] for row in await later.fetch(ALL)] == ["a", "b", "c", "d"]

    uvloop.run(main())


def test_the_locks_of_a_frozen_process_die(address: Address) -> None:
    async def main() -> None:
        async with opened(address) as database:
            await database.commit(unit_of(PUT, 1, "a", None, None))
            frozen = await connect(address, HASTY, WRITER)
            await frozen.run("BEGIN; UPDATE note SET author = 'frozen' WHERE id = 1")
            await database.commit(unit_of(RENAME, "b", 1, rows=1))
            assert await database.fetch(ALL) == [(1, "b", None, None)]
            frozen.drop()

    uvloop.run(main())


# ── locks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lock_that_is_held_too_long_is_waited_for_and_then_reported(address: Address) -> None:
    async def main() -> None:
        async with opened(address) as database, stranger(address) as other:
            await database.commit(unit_of(PUT, 1, "a", None, None))
            await other.run("BEGIN; UPDATE note SET author = 'x' WHERE id = 1")
            waiting = database.commit(unit_of(RENAME, "b", 1, rows=1))
            await asyncio.sleep(1.5)  # longer than one wait for a lock
            await other.run("ROLLBACK")
            await waiting
            await other.run("BEGIN; UPDATE note SET author = 'x' WHERE id = 1")
            with pytest.raises(StoreBusy, match="waited too long for a lock"):
                await database.commit(unit_of(RENAME, "c", 1, rows=1))
            await other.run("ROLLBACK")
            assert await database.fetch(ALL) == [(1, "b", None, None)]

    uvloop.run(main())


def test_a_deadlock_is_tried_again(server: MariaDB, address: Address) -> None:
    async def main() -> None:
        async with opened(address, Timing()) as database, stranger(address) as other:
            for number in range(1, 100):
                database.commit(unit_of(PUT, number, "a", None, None))
            await database.commit(Unit())
            before = deadlocks(server)
            # The server gives up the transaction that changed less: ours.
            await other.run("BEGIN; UPDATE note SET author = 'x' WHERE id > 1")
            unit = unit_of(RENAME, "b", 1, rows=1)
            unit.add(RENAME, "b", 2, rows=1)
            waiting = database.commit(unit)
            waits = "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
            while server.sql(waits) == [["0"]]:
                await asyncio.sleep(0.2)  # the server renews this table no sooner than 0.1 s after it was last read
            await other.run("UPDATE note SET author = 'x' WHERE id = 1")
            assert deadlocks(server) == before + 1
            await other.run("COMMIT")
            await waiting
            rows = await database.fetch(ALL)
            assert [row[1] for row in rows] == ["b", "b", *["x"] * 97]

    uvloop.run(main())


def deadlocks(server: MariaDB) -> int:
    [[_, value]] = server.sql("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    return int(value)


# ── the server goes away ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_unit_that_was_acknowledged_survives_a_server_killed_under_load(
    server: MariaDB, address: Address
) -> None:
    async def main() -> None:
        async with opened(address, Timing()) as database:
            done: list[int] = []
            stop = asyncio.Event()

            async def write() -> None:
                while not stop.is_set():
                    [[(row, _)]] = await database.commit(unit_of(APPEND, "a"))
                    done.append(row)

            async def read() -> None:
                while not stop.is_set():
                    known = len(done)
                    assert await count(database) >= known

            working = [asyncio.ensure_future(write()) for _ in range(20)] + [asyncio.ensure_future(read())]
            for _ in range(3):
                goal = len(done) + 300
                while len(done) < goal:
                    await asyncio.sleep(0.001)
                server.kill()
                await asyncio.sleep(0.1)
                server.start()
            stop.set()
            await asyncio.gather(*working)
            stored = [row[0] for row in await database.fetch(ALL)]
            assert stored == sorted(done)

    uvloop.run(main())


def test_a_connection_that_was_killed_is_replaced_unseen(server: MariaDB, address: Address) -> None:
    async def main() -> None:
        async with opened(address) as database:
            await database.commit(unit_of(APPEND, "a"))
            assert await count(database) == 1
            for [thread] in server.sql("SELECT id FROM information_schema.processlist WHERE user = 'corefast'"):
                server.sql(f"KILL {thread}")
            await database.commit(unit_of(APPEND, "b"))
            assert await count(database) == 2

    uvloop.run(main())


def test_a_server_that_stays_away_is_reported_and_its_return_is_noticed(server: MariaDB, address: Address) -> None:
    async def main() -> None:
        async with opened(address) as database:
            server.kill()
            tries = database.commit(unit_of(APPEND, "a")), database.fetch(COUNT)
            for error in await asyncio.gather(*tries, return_exceptions=True):
                assert isinstance(error, StoreBusy) and "does not answer" in str(error)
            server.start()
            await database.commit(unit_of(APPEND, "b"))
            assert [row[1] for row in await database.fetch(ALL)] == ["b"]

    uvloop.run(main())


# ── nothing left ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_readers_without_a_free_connection_wait_and_are_told(server: MariaDB, address: Address) -> None:
    async def main() -> None:
        async with opened(address) as database:
            await database.commit(unit_of(APPEND, "a"))
            server.sql("GRANT USAGE ON *.* TO corefast@'%' WITH MAX_USER_CONNECTIONS 1")
            try:
                async with stranger(address):  # has the one that there is; ours, older than the limit, is not counted
                    with pytest.raises(StoreBusy, match="no free connection"):
                        await count(database)
                    waiting = asyncio.ensure_future(count(database))
                    await asyncio.sleep(0.3)
            finally:
                server.sql("GRANT USAGE ON *.* TO corefast@'%' WITH MAX_USER_CONNECTIONS 0")
            assert await waiting == 1

    uvloop.run(main())


def test_a_thousand_readers_share_a_few_connections(server: MariaDB, address: Address) -> None:
    async def main() -> None:
        async with opened(address) as database:
            assert await asyncio.gather(*[count(database) for _ in range(1_000)]) == [0] * 1_000
            [[threads]] = server.sql("SELECT count(*) FROM information_schema.processlist WHERE user = 'corefast'")
            assert int(threads) == 1 + 4

    uvloop.run(main())


def test_a_full_disk_is_typed_and_space_makes_it_work_again() -> None:
    async def main(address: Address) -> None:
        async with opened(address, Timing()) as database:
            full = 0
            with pytest.raises(StoreFull):
                for full in range(20):
                    await database.commit(unit_of(PUT, full, "", bytes(1_000_000), None))
            server.kill()
            server.options[-1] = server.options[-1].replace("24M", "48M")
            server.start()
            await database.commit(unit_of(PUT, full, "", b"", None))
            assert await count(database) == full + 1

    with running("--innodb-file-per-table=OFF", "--innodb-data-file-path=ibdata1:12M:autoextend:max:24M") as server:
        uvloop.run(main(server.address()))
