"""Three nodes of Galera: what holds when one dies, when two are written to, and when one is cut off."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
import uvloop

from corefast.errors import RowCountUnexpected, StoreBusy
from corefast.store.database import Statement, Unit
from corefast.store.mysql.address import Address
from corefast.store.mysql.database import MysqlDatabase, open_mysql
from corefast.store.mysql.session import Timing
from tests.galera.conftest import Tell
from tests.store.conftest import NOTES
from tests.support.business import Business, soon
from tests.support.galera import Galera
from tests.support.journal import positions_used_twice
from tests.support.mariadb import PASSWORD
from tests.support.proxy import Fault, Proxy

PUT = Statement("INSERT INTO note (id, author, weight) VALUES (?, ?, 0)")
COUNT = Statement("UPDATE note SET weight = weight + 1 WHERE id = ?")
ALL = Statement("SELECT id, author, weight FROM note ORDER BY id")
NUMBER = "491713920001"
MESSAGES, TAKEOVERS = 240, 40


@pytest.fixture
def address(galera: Galera) -> Iterator[Address]:
    yield galera.address()


def at(address: Address, node: int) -> Address:
    """Return the same database with another node first."""
    nodes = [(each.host, each.port) for each in address.nodes()]
    first, *others = nodes[node:] + nodes[:node]
    return address._replace(host=first[0], port=first[1], others=tuple(others))


def put(id: int) -> Unit:
    unit = Unit()
    unit.add(PUT, id, "somebody")
    unit.add(COUNT, id, rows=1)
    return unit


def counted(id: int) -> Unit:
    unit = Unit()
    unit.add(COUNT, id, rows=1)
    return unit


def test_a_later_process_on_another_node_fences_the_earlier_one_off(galera: Galera, address: Address) -> None:
    async def main() -> None:
        earlier = await open_mysql(at(address, 0), [NOTES])
        await earlier.commit(put(1))
        writing = [earlier.commit(put(id)) for id in range(2, 50)]
        later = await open_mysql(at(address, 1), [NOTES])
        await asyncio.gather(*writing, return_exceptions=True)
        with pytest.raises(RowCountUnexpected):
            await earlier.commit(put(100))
        seen = await later.fetch(ALL)
        await later.commit(put(101))
        assert [row[0] for row in await earlier.fetch(ALL)] == [*(row[0] for row in seen), 101]
        for database in (earlier, later):
            await database.close()

    uvloop.run(main())


def test_each_of_many_takeovers_under_load_is_whole(galera: Galera, address: Address) -> None:
    """Nothing that was answered is missing for the next owner, and no unit is there in part, or later."""
    numbers = count(1)

    async def write(database: MysqlDatabase, answered: set[int]) -> None:
        while True:
            number = next(numbers)
            unit = Unit()
            for id in (2 * number, 2 * number + 1):
                unit.add(PUT, id, "somebody")
            await database.commit(unit)
            answered.update((2 * number, 2 * number + 1))

    async def main() -> None:
        answered: set[int] = set()
        owner = await open_mysql(at(address, 0), [NOTES])
        for turn in range(TAKEOVERS):
            writing = [asyncio.create_task(write(owner, answered)) for _ in range(3)]
            await asyncio.sleep(0.02)
            later = await open_mysql(at(address, (turn + 1) % 2), [NOTES])
            seen = {row[0] for row in await later.fetch(ALL)}
            async with asyncio.timeout(10):
                ends = await asyncio.gather(*writing, return_exceptions=True)
            assert [type(end) for end in ends] == [RowCountUnexpected] * 3
            assert answered <= seen and {id ^ 1 for id in seen} == seen
            assert {row[0] for row in await later.fetch(ALL)} == seen
            await owner.close()
            owner = later
        await owner.close()

    uvloop.run(main())


def test_what_one_node_has_committed_the_next_read_on_another_sees(galera: Galera, address: Address) -> None:
    async def main() -> None:
        writer = await open_mysql(at(address, 0), [NOTES], owner="writer")
        reader = await open_mysql(at(address, 2), [NOTES], owner="reader")
        for id in range(60):
            await writer.commit(put(id))
            assert len(await reader.fetch(ALL)) == id + 1
        await writer.close()
        await reader.close()

    uvloop.run(main())


def test_conflicts_of_two_writers_on_two_nodes_are_tried_again_and_no_change_is_lost(
    galera: Galera, address: Address
) -> None:
    async def main() -> None:
        databases = [await open_mysql(at(address, node), [NOTES], owner=f"node {node}") for node in range(2)]
        await databases[0].commit(put(1))

        async def raise_it(database: MysqlDatabase) -> None:
            for _ in range(60):
                await database.commit(counted(1))

        await asyncio.gather(*map(raise_it, databases))
        assert await databases[1].fetch(ALL) == [(1, "somebody", 121.0)]
        for database in databases:
            await database.close()

    conflicts = "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_cert_failures', 'wsrep_local_bf_aborts')"
    uvloop.run(main())
    assert sum(int(value) for node in galera.nodes[:2] for _, value in node.sql(conflicts)) > 0


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.SILENT, Fault.LATE])
@pytest.mark.parametrize("is_last", [False, True], ids=["same node", "other node"])
def test_a_commit_without_an_answer_happens_once_whichever_node_is_asked(
    galera: Galera, address: Address, fault: Fault, is_last: bool
) -> None:
    async def main() -> None:
        proxy = Proxy(address.port)
        await proxy.start()
        proxy.is_last, proxy.late_s = is_last, 0.5
        database = await open_mysql(address._replace(port=proxy.port), [NOTES], timing=Timing(answer_s=2))
        await database.commit(put(1))
        proxy.fault = fault
        await asyncio.gather(*[database.commit(counted(1)) for _ in range(3)])
        await asyncio.sleep(2 * proxy.late_s)  # what was late has arrived
        await database.commit(counted(1))
        assert proxy.faults == 1
        assert await database.fetch(ALL) == [(1, "somebody", 5.0)]
        await database.close()
        await proxy.stop()

    uvloop.run(main())


def test_a_node_that_is_cut_off_from_the_others_is_left_and_where_there_is_none_else_the_error_is_typed(
    galera: Galera, address: Address
) -> None:
    node = galera.nodes[0]

    async def main() -> None:
        timing = Timing(answer_s=4, give_up_s=3)
        bound = await open_mysql(address._replace(others=()), [NOTES], owner="bound", timing=timing)
        free = await open_mysql(address, [NOTES], owner="free")
        await bound.commit(put(1))
        await free.commit(put(2))
        node.sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
        await soon(lambda: node.status("wsrep_ready") == "OFF")
        with pytest.raises(StoreBusy):
            await bound.commit(put(3))
        await free.commit(put(4))
        assert [row[0] for row in await free.fetch(ALL)] == [1, 2, 4]
        node.sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")
        await soon(lambda: node.status("wsrep_ready") == "ON")
        await bound.commit(put(5))
        assert [row[0] for row in await bound.fetch(ALL)] == [1, 2, 4, 5]
        await bound.close()
        await free.close()

    uvloop.run(main())


def test_nothing_is_lost_or_doubled_when_the_node_in_use_is_killed(tell: Tell, galera: Galera, tmp_path) -> None:
    """The whole path, relay and core, on the node that dies under load. The last test: the node stays away."""
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in galera.nodes)
    environ = galera.nodes[0].settings(tmp_path)
    file = tmp_path / "corefast.toml"
    file.write_text(file.read_text().replace(f"127.0.0.1:{galera.nodes[0].port}", hosts))

    async def story() -> None:
        business = Business(tmp_path / "data", **environ)
        await business.open()
        phone = await business.phone(NUMBER)
        accepted: dict[str, str] = {}

        async def post(poster: int) -> None:
            for index in range(MESSAGES // 4):
                text = f"{poster} {index}"
                accepted[text] = await business.insist(NUMBER, text, key=text.replace(" ", "-"))

        async def kill() -> None:
            await soon(lambda: len(accepted) >= MESSAGES // 3, 60)
            galera.nodes[0].kill()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(kill())
            for poster in range(4):
                tasks.create_task(post(poster))
        receiver = business.receiver
        await soon(lambda: set(accepted) <= set(phone.texts), 60, lambda: set(accepted) - set(phone.texts))
        await soon(lambda: all(len(receiver.statuses.get(one, [])) >= 2 for one in accepted.values()), 60)
        assert len(phone.texts) == MESSAGES
        for poster in range(4):
            mine = [text for text in phone.texts if text.startswith(f"{poster} ")]
            assert mine == [f"{poster} {index}" for index in range(MESSAGES // 4)]
        assert {tuple(dict.fromkeys(receiver.statuses[one])) for one in accepted.values()} == {("sent", "delivered")}
        assert receiver.changed_ids == receiver.unverified == []
        assert positions_used_twice(business.journal) == []
        await phone.stop()
        assert await business.close() == 0

    tell(story())
    assert PASSWORD not in file.read_text()
