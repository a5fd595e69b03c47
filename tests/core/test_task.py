"""A background task ends, whatever it does with its cancellation."""

import asyncio

import uvloop

from corefast.core.task import end


def test_a_task_that_takes_a_cancellation_for_a_failure_is_ended_all_the_same():
    rounds = []

    async def stubborn():
        while True:
            try:
                rounds.append(await asyncio.Event().wait())
            except asyncio.CancelledError:
                rounds.append("taken for a failure")
                if len(rounds) == 1:
                    await asyncio.sleep(0)
                    continue
                raise

    async def main():
        task = asyncio.get_running_loop().create_task(stubborn())
        await asyncio.sleep(0)
        await asyncio.wait_for(end(task), 20)
        assert task.done() and len(rounds) == 2

    uvloop.run(main())
