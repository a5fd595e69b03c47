"""A group's message that goes to one member in a session, later than to the others."""

from typing import NamedTuple

from corefast.core.context import Context
from corefast.core.group.book import Chain
from corefast.core.group.ties import address
from corefast.core.send.lane import Lane
from corefast.core.store.messages import WaitingBody
from corefast.errors import ContentMalformed
from corefast.store.database import Unit
from corefast.wire.content import Content, decode_content


class Letter(NamedTuple):
    """The content, and our chain as it is committed."""

    content: Content
    chain: Chain | None

    def address(self, context: Context, unit: Unit, lane: Lane) -> Content:
        """Return what the member gets: with the roster and the key of today, unless that chain has to end."""
        assert self.content.group is not None
        name = self.content.group.id
        chain = None if context.groups.is_stale(name) else self.chain
        return address(context, unit, lane, self.content, (context.groups.get(name), chain))


async def open_letters(context: Context, bodies: list[WaitingBody]) -> tuple[list[WaitingBody], dict[int, Letter]]:
    """Return the bodies, damaged ones without their plaintext, and by message those that are of groups."""
    contents: dict[int, Content] = {}
    if not any(body.is_group for body in bodies):
        return bodies, {}
    for at, body in enumerate(bodies):
        try:
            if body.is_group and body.plaintext is not None:
                contents[body.message] = decode_content(body.plaintext)
        except ContentMalformed:
            bodies[at] = body._replace(plaintext=None)
    chains = await context.groups.handed_out(contents.values())
    return bodies, {
        row: Letter(content, chains.get(content.group.id)) for row, content in contents.items() if content.group
    }
