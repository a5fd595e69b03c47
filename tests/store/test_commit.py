"""Group commit on each engine: order, durability, all or nothing, and values that come back as they went in."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from corefast.errors import Overloaded, RowCountUnexpected, StoreConflict, StoreError, StoreFull
from corefast.store import lane
from corefast.store.database import Database, Op, Statement, Unit
from corefast.store.migrate import Migration
from tests.store.conftest import Opening

PUT = Statement("INSERT INTO note (id, author, body, weight) VALUES (?, ?, ?, ?)")
APPEND = Statement(
    "INSERT INTO note (author) VALUES (?) RETURNING id, author",
    "INSERT INTO note (author) VALUES (?); SELECT id, author FROM note WHERE id = LAST_INSERT_ID()",
)
RENAME = Statement("UPDATE note SET author = ? WHERE id = ?")
ALL = Statement("SELECT id, author, body, weight FROM note ORDER BY id")
COUNT = Statement("SELECT count(*) FROM note")


def unit_of(statement: Statement, *params: object, rows: int | None = None) -> Unit:
    unit = Unit()
    unit.add(statement, *params, rows=rows)
    return unit


async def count(database: Database) -> int:
    [(found,)] = await database.fetch(COUNT)
    return int(found)


def test_units_of_one_turn_share_a_transaction_and_later_ones_share_the_next(opened: Opening) -> None:
    async def main() -> None:
        batches: list[int] = []
        async with opened() as database:
            database.on_batch(lambda units, seconds: batches.append(units))
            first = [database.commit(unit_of(APPEND, "a")) for _ in range(3)]
            await asyncio.sleep(0)
            second = [database.commit(unit_of(APPEND, "b")) for _ in range(5)]
            await asyncio.gather(*first, *second)
            await database.commit(unit_of(APPEND, "c"))
        assert batches == [3, 5, 1]

    uvloop.run(main())


def test_ten_thousand_units_commit_in_order_in_few_transactions(opened: Opening) -> None:
    async def main() -> None:
        batches: list[int] = []
        async with opened() as database:
            database.on_batch(lambda units, seconds: batches.append(units))
            results = await asyncio.gather(*[database.commit(unit_of(APPEND, str(n))) for n in range(10_000)])
            assert results == [[[(n + 1, str(n))]] for n in range(10_000)]
        assert batches == [4_096, 4_096, 1_808]

    uvloop.run(main())


def test_a_read_sees_every_commit_that_is_known_to_be_done(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            for expected in range(1, 50):
                await database.commit(unit_of(APPEND, "a"))
                assert await count(database) == expected

    uvloop.run(main())


@pytest.mark.parametrize(
    "values",
    [
        (-(2**63), "", b"", 0.0),
        (2**63 - 1, "ünï → 🦊 \0 end", bytes(range(256)), -1.5e300),
        (0, None, None, None),
        (7, "x" * 65_000, b"\0" * 1_000_000, 2.0**-40),
        (8, "'; -- \\' \\", b"';\\\x00\n", True),
    ],
)
def test_values_come_back_as_they_went_in(opened: Opening, values: tuple[object, ...]) -> None:
    async def main() -> None:
        async with opened() as database:
            await database.commit(unit_of(PUT, *values))
            assert await database.fetch(ALL) == [values]

    uvloop.run(main())


def test_infinity_comes_back_from_sqlite_and_is_refused_for_mysql(on_sqlite: Opening, on_mysql: Opening) -> None:
    async def main() -> None:
        unit = unit_of(PUT, 1, None, None, float("inf"))
        async with on_sqlite() as database:
            await database.commit(unit)
            assert await database.fetch(ALL) == [(1, None, None, float("inf"))]
        async with on_mysql() as database:
            with pytest.raises(OverflowError):
                database.commit(unit)

    uvloop.run(main())


def test_an_impossible_value_is_refused_at_once_and_queues_nothing(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            good = database.commit(unit_of(PUT, 1, "kept", None, None))
            for values, error in [((2**63, ""), OverflowError), ((2, []), TypeError), ((2, "\ud800"), UnicodeError)]:
                bad = unit_of(APPEND, "with the bad one")
                bad.add(PUT, *values, None, None)
                with pytest.raises(error):
                    database.commit(bad)
            await good
            assert await database.fetch(ALL) == [(1, "kept", None, None)]

    uvloop.run(main())


def test_each_unit_gets_the_rows_of_its_own_statements(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            two = unit_of(APPEND, "a")
            two.add(RENAME, "b", 1, rows=1)
            two.add(APPEND, "c")
            none = unit_of(RENAME, "d", 1)
            nobody = unit_of(Statement("DELETE FROM note WHERE id = 99 RETURNING id"))
            answers = await asyncio.gather(database.commit(two), database.commit(none), database.commit(nobody))
            assert list(answers) == [[[(1, "a")], [(2, "c")]], [], [[]]]

    uvloop.run(main())


def test_an_unexpected_row_count_rolls_the_whole_batch_back(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            neighbour = database.commit(unit_of(APPEND, "a"))
            broken = database.commit(unit_of(RENAME, "b", 99, rows=1))
            for waiter in (neighbour, broken):
                with pytest.raises(RowCountUnexpected, match="changed 0 rows instead of 1"):
                    await waiter
            assert await count(database) == 0
            await database.commit(unit_of(APPEND, "later"))
            assert await count(database) == 1

    uvloop.run(main())


def test_a_conflict_is_typed_and_names_no_value(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            await database.commit(unit_of(PUT, 1, "secret", None, None))
            with pytest.raises(StoreConflict) as caught:
                await database.commit(unit_of(PUT, 1, "secret", None, None))
            assert str(caught.value) in ("UNIQUE constraint failed: note.id", "UNIQUE constraint failed: PRIMARY")

    uvloop.run(main())


def test_a_callback_hears_of_success_and_of_failure(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            heard: list[Exception | None] = []
            database.commit_then(unit_of(PUT, 1, "", None, None), heard.append)
            await database.commit(Unit())
            database.commit_then(unit_of(PUT, 1, "", None, None), heard.append)
            with pytest.raises(StoreConflict):
                await database.commit(Unit())
            assert heard[0] is None and isinstance(heard[1], StoreConflict)

    uvloop.run(main())


def test_a_callback_that_raises_harms_nobody_else(opened: Opening) -> None:
    async def main() -> None:
        reported: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))

        def fail(error: Exception | None) -> None:
            raise ZeroDivisionError

        async with opened() as database:
            database.commit_then(unit_of(APPEND, "a"), fail)
            await database.commit(unit_of(APPEND, "b"))
            assert await count(database) == 2
        assert [type(error) for error in reported] == [ZeroDivisionError]

    uvloop.run(main())


def test_the_prelude_begins_each_transaction_and_fails_it(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            await database.commit(unit_of(PUT, 1, "0", None, None))
            fence = (Statement("UPDATE note SET author = author + 1 WHERE id = 1 AND author < 2"), (), 1)
            database.set_prelude(lambda: [fence])
            await database.commit(unit_of(APPEND, "a"))
            await database.commit(unit_of(APPEND, "b"))
            with pytest.raises(RowCountUnexpected):
                await database.commit(unit_of(APPEND, "c"))
            assert [row[1] for row in await database.fetch(ALL)] == ["2", "a", "b"]

    uvloop.run(main())


def test_an_exception_of_the_prelude_fails_the_batch_and_the_next_one_runs(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            preludes = iter([StoreError("the lease is lost"), None])

            def prelude() -> list[Op]:
                if error := next(preludes):
                    raise error
                return []

            database.set_prelude(prelude)
            with pytest.raises(StoreError, match="lease"):
                await database.commit(unit_of(APPEND, "a"))
            await database.commit(unit_of(APPEND, "b"))
            assert await count(database) == 1

    uvloop.run(main())


def test_what_is_queued_behind_a_failed_unit_fails_and_later_units_commit(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            heard: list[str] = []

            def hear(error: Exception | None) -> None:
                heard.append(type(error).__name__)

            broken = database.commit(unit_of(RENAME, "b", 99, rows=1))
            await asyncio.sleep(0)
            queued = [database.commit(unit_of(APPEND, "a")) for _ in range(3)]
            database.commit_then(unit_of(APPEND, "a"), hear)
            for waiter in (broken, *queued):
                with pytest.raises(RowCountUnexpected):
                    await waiter
            assert heard == ["RowCountUnexpected"]
            await database.commit(unit_of(APPEND, "later"))
            assert await count(database) == 1

    uvloop.run(main())


def test_a_hook_runs_before_the_next_prelude_and_before_the_units_hear(opened: Opening) -> None:
    async def main() -> None:
        story: list[str] = []
        async with opened() as database:
            database.on_batch(lambda units, seconds: story.append("committed"))

            def prelude() -> list[Op]:
                story.append("prelude")
                return []

            database.set_prelude(prelude)
            database.commit_then(unit_of(APPEND, "a"), lambda error: story.append("a"))
            await asyncio.sleep(0)
            database.commit_then(unit_of(APPEND, "b"), lambda error: story.append("b"))
        assert story == ["prelude", "committed", "prelude", "a", "committed", "b"]

    uvloop.run(main())


def test_a_full_disk_is_typed_and_space_makes_it_work_again(on_sqlite: Opening) -> None:
    async def main() -> None:
        async with on_sqlite(Migration(2, "small", "PRAGMA max_page_count = 50;")) as database:
            with pytest.raises(StoreFull):
                await database.commit(unit_of(PUT, 1, "", bytes(1_000_000), None))
            assert database.is_failing
            await database.commit(unit_of(PUT, 1, "", b"", None))
            assert await count(database) == 1 and not database.is_failing

    uvloop.run(main())


def test_too_much_waiting_work_is_refused_at_once(opened: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(lane, "MAX_QUEUED_UNITS", 3)
        async with opened() as database:
            waiting = [database.commit(unit_of(APPEND, "a")) for _ in range(3)]
            with pytest.raises(Overloaded):
                database.commit(unit_of(APPEND, "b"))
            await asyncio.gather(*waiting)
            await database.commit(unit_of(APPEND, "c"))
            assert await count(database) == 4

    uvloop.run(main())


def test_closing_commits_what_is_queued_and_refuses_what_comes_later(opened: Opening, path: Path) -> None:
    async def main() -> None:
        async with opened() as database:
            waiting = [database.commit(unit_of(APPEND, "a")) for _ in range(5_000)]
            closing = asyncio.ensure_future(database.close())
            await asyncio.sleep(0)
            with pytest.raises(StoreError, match="closed"):
                database.commit(unit_of(APPEND, "b"))
            await closing
            assert all(waiter.done() for waiter in waiting)
        async with opened() as database:
            assert await count(database) == 5_000

    uvloop.run(main())


def test_a_cancelled_waiter_does_not_undo_its_unit(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            database.commit(unit_of(APPEND, "a")).cancel()
            await database.commit(unit_of(APPEND, "b"))
            assert await count(database) == 2

    uvloop.run(main())


def test_a_failing_query_leaves_the_ones_beside_it_alone(opened: Opening) -> None:
    async def main() -> None:
        async with opened() as database:
            wrong, right, written, unbound = await asyncio.gather(
                database.fetch(Statement("SELECT * FROM nothing")),
                database.fetch(COUNT),
                database.fetch(APPEND, "through the reader"),
                database.fetch(RENAME, "one parameter of two"),
                return_exceptions=True,
            )
            assert isinstance(wrong, StoreError) and isinstance(written, StoreError) and isinstance(unbound, StoreError)
            assert right == [(0,)]

    uvloop.run(main())
