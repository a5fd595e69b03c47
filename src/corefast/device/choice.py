"""What a message offers to choose from, and what is sent back for each choice."""

from typing import NamedTuple

from corefast.errors import ParameterInvalid
from corefast.wire import body as bodies
from corefast.wire.body import ButtonKind, Saying
from corefast.wire.content import Unsupported


class Choice(NamedTuple):
    """A button or a row; *answer* is what says that it was chosen."""

    id: str
    title: str
    answer: Saying


def choices_of(body: Saying | Unsupported) -> list[Choice]:
    """Return what *body* offers, in the order in which it is shown; empty for most messages.

    The id of a template's quick reply is its payload.
    """
    match body:
        case bodies.ReplyButtons(buttons=buttons):
            return [Choice(each.id, each.title, bodies.ButtonReply(each.id, each.title)) for each in buttons]
        case bodies.OptionList(sections=sections):
            rows = [row for section in sections for row in section.rows]
            return [Choice(row.id, row.title, bodies.ListReply(row.id, row.title, row.description)) for row in rows]
        case bodies.Template(buttons=pressed):
            quick = [each for each in pressed if each.kind is ButtonKind.QUICK_REPLY]
            return [Choice(each.value, each.title, bodies.QuickReply(each.value, each.title)) for each in quick]
    return []


def choose(body: Saying | Unsupported, option: str) -> Choice:
    """Return the choice whose id is *option*, or else whose title is; raise `ParameterInvalid`."""
    offered = choices_of(body)
    if not offered:
        raise ParameterInvalid("this message offers nothing to choose from")
    for each in offered:
        if each.id == option:
            return each
    for each in offered:
        if each.title == option:
            return each
    raise ParameterInvalid("this message does not offer that")
