"""What a reader is told when the end comes while its events are gathered."""

import asyncio
from types import SimpleNamespace

from corefast.device import Stopped
from corefast.device.feed import Feed


def test_the_end_is_told_also_where_it_comes_while_the_store_is_asked():
    class Inbox:
        async def waiting(self, after, limit):
            feed.tell(STOPPED)
            feed.end()
            return []

    async def main():
        return [event async for event in feed.events()]

    STOPPED = Stopped("attach.superseded", "another copy took over")
    feed = Feed(SimpleNamespace(inbox=Inbox()))
    assert asyncio.run(main()) == [STOPPED]
