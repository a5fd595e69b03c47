"""The texts of a template: where their variables are, and which characters nobody may put there."""

import re
from collections.abc import Mapping

from corefast.errors import ParameterInvalid
from corefast.wire.template import ParameterFormat

_VARIABLE = re.compile(r"\{\{ ?([a-z0-9_]{1,64}) ?\}\}")

CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters besides those of lines and columns, and those that turn the direction of the text around them."""

BLANKS = re.compile(r"[\n\r\t\x85\u2028\u2029]| {5}")
"""What no parameter may hold: a new line, a tab, more than four blanks in a row."""


def variables_of(field: str, text: str) -> list[str]:
    """Return the names of the variables of *text*, each once; raise `ParameterInvalid` for braces that hold none."""
    rest = _VARIABLE.sub(" ", text)
    if "{{" in rest or "}}" in rest:
        raise ParameterInvalid(f"`{field}`: a variable is {{{{1}}}} or {{{{name}}}}, of small letters, digits and _")
    return names_in(text)


def names_in(text: str) -> list[str]:
    """Return the same for a text whose braces were checked."""
    return list(dict.fromkeys(_VARIABLE.findall(text))) if "{{" in text else []


def format_of(field: str, names: list[str]) -> ParameterFormat | None:
    """Return how these variables are called, None without any; raise `ParameterInvalid` where that is not one way."""
    if not names:
        return None
    if set(names) == {str(number) for number in range(1, len(names) + 1)}:
        return ParameterFormat.POSITIONAL
    if any(name.isdigit() for name in names):
        raise ParameterInvalid(
            f"`{field}`: variables are {{{{1}}}}, {{{{2}}}} … without a gap, or have names, not both"
        )
    return ParameterFormat.NAMED


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with its variables filled in, in one go: braces in a value are plain characters."""
    return text if not values else _VARIABLE.sub(lambda found: values[found[1]], text)
