"""The mysql profile: front, core, relay, webhooks and database in containers of their own."""

from collections.abc import Awaitable
from pathlib import Path

import uvloop

from tests.containers import story
from tests.containers.stack import CommandFailed, Stack, docker, standing

OWNERS = ("relay", "core")
PROGRAMS = ("relay", "core", "api", "webhooks")


def test_programs_apart_carry_messages_through_kills_of_core_and_database(tmp_path: Path):
    async def main() -> None:
        async with standing(tmp_path, "mysql") as stack:
            await story.nobody_registers_without_a_code(stack)
            phone = await stack.phone(story.ALICE)
            await story.hello_goes_both_ways(stack, phone)
            await story.programs_have_no_powers(stack, *PROGRAMS)
            await each_holds_only_its_own(stack)
            await the_database_is_reached_by_tls_only(stack)

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
        login, name = await login_of(stack, owner), f"corefast_{owner}"
        tables = (await stack.run_in("database", *login, "--ssl", "-N", "-e", "SHOW TABLES", name)).split()
        assert "schema_version" in tables and len(tables) > 5
        assert "sqlite" not in await stack.run_in(owner, "ls", "/data")
        await stack.run_in(owner, "corefast", "migrate", owner, "--check")
        use = await complaint_of(stack.run_in("database", *login, "--ssl", "-e", f"USE corefast_{other}"))
        assert "Access denied" in use


async def the_database_is_reached_by_tls_only(stack: Stack) -> None:
    """The server counts encrypted connections and lets nobody in without; we let no other server be the database."""
    login = await login_of(stack, "core")
    query = "SHOW GLOBAL STATUS LIKE 'Ssl_finished_accepts'"
    before = int((await stack.run_in("database", *login, "--ssl", "-N", "-e", query)).split()[1])
    assert before >= len(OWNERS)
    assert "Access denied" in await complaint_of(stack.run_in("database", *login, "--skip-ssl", "-e", query))

    address = await stack.inspect("database", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
    for host, authority in (("database", "/etc/ssl/certs/ca-certificates.crt"), (address, "/data/database.ca")):
        url = f"COREFAST_DATABASE=mysql://corefast_core@{host}/corefast_core?ssl_ca={authority}"
        answer = await complaint_of(stack.run_in("core", "env", url, "corefast", "migrate", "core", "--check"))
        assert "certificate" in answer.lower(), answer
    await stack.run_in("core", "corefast", "migrate", "core", "--check")
    assert int((await stack.run_in("database", *login, "--ssl", "-N", "-e", query)).split()[1]) >= before + 2


async def login_of(stack: Stack, owner: str) -> tuple[str, ...]:
    password = (await stack.run_in(owner, "cat", "/data/database.password")).strip()
    return ("env", f"MYSQL_PWD={password}", "mariadb", "--host=127.0.0.1", f"--user=corefast_{owner}")


async def complaint_of(command: Awaitable[str]) -> str:
    """Return what a command that has to fail says."""
    try:
        answer = await command
    except CommandFailed as error:
        return str(error)
    raise AssertionError(f"it did not fail: {answer}")
