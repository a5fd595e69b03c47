"""The mysql profile: front, core, relay, webhooks and database in containers of their own."""

from pathlib import Path

import uvloop

from tests.containers import story
from tests.containers.stack import CommandFailed, Stack, docker, standing

PROGRAMS = ("relay", "core", "api", "webhooks")


def test_programs_apart_carry_messages_through_kills_of_core_and_database(tmp_path: Path):
    async def main() -> None:
        async with standing(tmp_path, "mysql") as stack:
            await story.nobody_registers_without_a_code(stack)
            phone = await stack.phone(story.ALICE)
            await story.hello_goes_both_ways(stack, phone)
            await story.programs_have_no_powers(stack, *PROGRAMS)
            await each_holds_only_its_own(stack)

            async def kill_core() -> None:
                await stack.kill("core")

            async def restart_database() -> None:
                await docker("docker", "restart", await stack.container("database"))

            await story.each_once_while(stack, phone, "core killed", kill_core)
            await story.each_once_while(stack, phone, "database restarted", restart_database)
            await story.no_log_holds_a_secret(stack)
            containers = [await stack.container(name) for name in PROGRAMS]
            await stack.compose("stop")
            for container in containers:
                assert await stack.inspect_one(container, "{{.State.ExitCode}}") == "0"
            await phone.stop()

    uvloop.run(main())


async def each_holds_only_its_own(stack: Stack) -> None:
    """The front has no key of the core; neither owner of a database sees the other's."""
    assert (await stack.run_in("api", "ls", "/data")).split() == ["front.secret"]
    assert (await stack.run_in("webhooks", "ls", "/data")).split() == ["webhooks.secret"]
    assert "master.key" not in await stack.run_in("relay", "ls", "/data")
    for owner, other in (("relay", "core"), ("core", "relay")):
        password = (await stack.run_in(owner, "cat", "/data/database.password")).strip()
        login = ("env", f"MYSQL_PWD={password}", "mariadb", "--host=127.0.0.1", f"--user=corefast_{owner}")
        tables = (await stack.run_in("database", *login, "-N", "-e", "SHOW TABLES", f"corefast_{owner}")).split()
        assert "schema_version" in tables and len(tables) > 5
        assert "sqlite" not in await stack.run_in(owner, "ls", "/data")
        await stack.run_in(owner, "corefast", "migrate", owner, "--check")
        try:
            await stack.run_in("database", *login, "-e", f"USE corefast_{other}")
            raise AssertionError(f"{owner} sees the database of {other}")
        except CommandFailed as error:
            assert "Access denied" in str(error), error
