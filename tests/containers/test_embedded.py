"""The default profile: everything in one container."""

from pathlib import Path

import uvloop

from tests.containers import story
from tests.containers.stack import standing
from tests.support.business import soon

DEMO_NUMBER = "49123123456"


def test_everything_in_one_container_carries_messages_through_kills_and_stops_cleanly(tmp_path: Path):
    async def main() -> None:
        async with standing(tmp_path, "embedded") as stack:
            await story.nobody_registers_without_a_code(stack)
            phone = await stack.phone(story.ALICE)
            await story.hello_goes_both_ways(stack, phone)
            await stack.send(DEMO_NUMBER, "to the demo")
            await soon(lambda: "to the demo" in stack.receiver.texts)
            await story.programs_have_no_powers(stack, "corefast")

            async def kill() -> None:
                await stack.kill("corefast")

            await story.each_once_while(stack, phone, "container killed", kill)
            await story.no_log_holds_a_secret(stack)

            container = await stack.container("corefast")
            await stack.compose("stop")
            assert await stack.inspect_one(container, "{{.State.ExitCode}} {{.State.OOMKilled}}") == "0 false"
            await stack.up("--force-recreate")
            await stack.until_ready()
            await stack.send(phone.number, "from a new container")
            assert phone.program is not None
            await phone.program.until(lambda: phone.texts[-1] == "from a new container")
            await phone.stop()

    uvloop.run(main())
