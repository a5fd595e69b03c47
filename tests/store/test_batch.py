"""MySQL's writer joins statements across units: the rows end as on SQLite, which runs one after the other."""

import random

import uvloop

from corefast.store.database import Database, Rows, Statement, Unit
from corefast.store.migrate import Migration
from corefast.store.mysql.batch import Batch
from corefast.store.mysql.text import Shapes
from tests.store.conftest import Opening

FACTS = Migration(2, "facts", "CREATE TABLE fact (id BIGINT PRIMARY KEY, note BIGINT, kind BIGINT);")
OF_NOTE = (("note", 2),)
PUT = Statement("INSERT INTO note (id, author, weight) VALUES (?, ?, 0)", rows=(("note", 1),))
COUNT = Statement("UPDATE note SET weight = weight + ? WHERE id = ? AND author IS NOT NULL", rows=OF_NOTE)
SIGN = Statement("UPDATE note SET author = ? WHERE id = ?", rows=OF_NOTE)
DROP = Statement("DELETE FROM note WHERE id = ?", rows=(("note", 1),))
DOUBLE = Statement("UPDATE note SET weight = weight * 2")
TELL = Statement(
    "INSERT INTO fact (id, note, kind) SELECT ?, id, ? FROM note WHERE id = ? AND weight < 5",
    rows=(("fact", 1), ("note", 3)),
)
NOTES = Statement("SELECT id, author, weight FROM note ORDER BY id")
TOLD = Statement("SELECT id, note, kind FROM fact ORDER BY id")


def units_of(seed: int) -> list[Unit]:
    """Return units in which statements of all kinds follow each other on few rows."""
    chance, there, told = random.Random(seed), set[int](), 0
    units = []
    for _ in range(60):
        unit = Unit()
        for _ in range(chance.randrange(1, 8)):
            id, kind = chance.randrange(12), chance.randrange(40)
            if id not in there:
                there.add(id)
                unit.add(PUT, id, "somebody")
            elif kind == 0:
                there.remove(id)
                unit.add(DROP, id, rows=1)
            elif kind == 1:
                unit.add(DOUBLE)
            elif kind < 15:
                unit.add(COUNT, chance.randrange(3), id, rows=1)
            elif kind < 20:
                unit.add(SIGN, f"author {kind}", id)
            else:
                told += 1
                unit.add(TELL, told, kind, id)
        units.append(unit)
    return units


async def outcome(database: Database, units: list[Unit]) -> tuple[Rows, Rows]:
    for commit in [database.commit(unit) for unit in units]:
        await commit
    return await database.fetch(NOTES), await database.fetch(TOLD)


def test_rows_end_as_if_each_unit_had_run_after_the_one_before_it(on_sqlite: Opening, on_mysql: Opening) -> None:
    clear = [Statement("DELETE FROM note"), Statement("DELETE FROM fact")]

    async def main() -> None:
        async with on_sqlite(FACTS) as sqlite, on_mysql(FACTS) as mysql:
            for seed in range(8):
                units = units_of(seed)
                expected = await outcome(sqlite, units)
                assert expected[1] and await outcome(mysql, units) == expected
                for database in (sqlite, mysql):
                    unit = Unit()
                    for statement in clear:
                        unit.add(statement)
                    await database.commit(unit)

    uvloop.run(main())


def test_many_statements_on_rows_of_their_own_become_a_few() -> None:
    batch = Batch(Shapes())
    for id in range(50):
        unit = Unit()
        unit.add(PUT, id, "somebody")
        unit.add(TELL, id, 1, id)
        unit.add(COUNT, 1, id)
        unit.add(DROP, id - 1)
        batch.add(unit.ops)
    runs = [run for group in batch.groups() for run in group.runs(joined=True)]
    assert [len(group.calls) for group in batch.groups()] == [50, 50, 50, 50]
    assert runs[1].sql.count("UNION ALL") == 49 and runs[1].sql.count("INSERT") == 1


def test_a_statement_that_names_no_row_stays_where_it_is() -> None:
    batch = Batch(Shapes())
    unit = Unit()
    for statement, *params in ((COUNT, 1, 1), (DOUBLE,), (COUNT, 1, 2), (TELL, 1, 1, 1), (COUNT, 1, 2), (COUNT, 1, 1)):
        unit.add(statement, *params)
    batch.add(unit.ops)
    assert [len(group.calls) for group in batch.groups()] == [1, 1, 2, 1, 1]
