"""One way to configure every program: flag, then COREFAST_* environment, then a TOML file, then the default.

A program describes its settings as a frozen `msgspec.Struct`; each field becomes `--field-name`,
`COREFAST_FIELD_NAME` and the key `field_name` of the file. Whatever is wrong becomes one `SetupError` sentence.
"""

import argparse
import os
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from corefast.errors import SetupError

C = TypeVar("C", bound=msgspec.Struct)

_SECRET_SUFFIXES = ("_key", "_secret", "_password")
_SECRET_NAMES = ("key", "pin", "code", "link", "secret", "password")


class Setting(msgspec.Struct, frozen=True):
    """One field of a program's settings and how each source spells it."""

    name: str
    type: Any
    hint: Any
    description: str
    default: Any
    is_positional: bool

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "COREFAST_" + self.name.upper()

    @property
    def is_secret(self) -> bool:
        return self.name.endswith(_SECRET_SUFFIXES) or self.name in _SECRET_NAMES

    @property
    def is_list(self) -> bool:
        return typing.get_origin(self.type) is list


def load(shape: type[C], prog: str, argv: Sequence[str], environ: Mapping[str, str] | None = None) -> C:
    """Return the settings of *prog*; raise `SetupError` with the sentence that the operator needs.

    `--help` prints and exits. A field marked `Meta(extra={"positional": True})` is taken without its flag.
    """
    environ = os.environ if environ is None else environ
    settings = describe(shape)
    given = vars(_parser(shape, prog, settings).parse_intermixed_args(list(argv)))
    file = given.pop("config", None) or environ.get("COREFAST_CONFIG")
    table = _read_file(Path(file), prog, settings) if file else {}
    values = {}
    for setting in settings:
        found = _find(setting, given, environ, table)
        if found is not None:
            values[setting.name] = _convert(setting, *found)
        elif setting.default is msgspec.NODEFAULT:
            raise SetupError(f"{prog} needs {setting.flag} (or {setting.variable})")
    return msgspec.convert(values, shape)


def describe(shape: type[msgspec.Struct]) -> list[Setting]:
    """Return the settings that *shape* declares, in its order."""
    hints = typing.get_type_hints(shape, include_extras=True)
    return [_describe_field(field, hints[field.name]) for field in msgspec.structs.fields(shape)]


def _describe_field(field: msgspec.structs.FieldInfo, hint: Any) -> Setting:
    meta, kind = msgspec.Meta(), hint
    if typing.get_origin(hint) is typing.Annotated:
        meta = next((m for m in hint.__metadata__ if isinstance(m, msgspec.Meta)), meta)
        kind = hint.__origin__
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = typing.cast(typing.Callable[[], Any], field.default_factory)()
    is_positional = bool((meta.extra or {}).get("positional"))
    return Setting(field.name, kind, hint, meta.description or "", default, is_positional)


# ── the sources ────────────────────────────────────────────────────────────────────────────────────────────────────


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are errors like all others."""

    def error(self, message: str) -> NoReturn:
        raise SetupError(f"{self.prog}: {message}; see {self.prog} --help")


def _parser(shape: type[msgspec.Struct], prog: str, settings: list[Setting]) -> _Parser:
    parser = _Parser(
        prog=f"corefast {prog}",
        description=(shape.__doc__ or "").strip() or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for setting in settings:
        _add_argument(parser, setting)
    parser.add_argument("--config", metavar="FILE", help="a TOML file with these settings (COREFAST_CONFIG)")
    return parser


def _add_argument(parser: argparse.ArgumentParser, setting: Setting) -> None:
    text = setting.description.replace("%", "%%")
    if setting.default not in (msgspec.NODEFAULT, None, "", False) and setting.default != []:
        text += f" (default: {setting.default})".replace("%", "%%")
    if setting.is_positional:
        nargs = "*" if setting.is_list else None if setting.default is msgspec.NODEFAULT else "?"
        parser.add_argument(setting.name, nargs=nargs, help=text)
    elif setting.type is bool:
        parser.add_argument(setting.flag, action=argparse.BooleanOptionalAction, help=text)
    else:
        action = "append" if setting.is_list else "store"
        parser.add_argument(setting.flag, action=action, metavar=_metavar(setting), help=text)


def _metavar(setting: Setting) -> str:
    if typing.get_origin(setting.type) is typing.Literal:
        return "|".join(map(str, typing.get_args(setting.type)))
    return setting.name.rpartition("_")[2].upper()


def _read_file(path: Path, prog: str, settings: list[Setting]) -> dict[str, Any]:
    """Return the file's top level, overlaid with the table named after the program.

    A command of a program (`relay migrate`) takes what it knows from the program's table.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SetupError(f"{path}: {error}") from None
    program, _, command = prog.partition(" ")
    own = content.get(program, {})
    known = {setting.name for setting in settings}
    if not isinstance(own, dict):
        raise SetupError(f"{path}: {prog} has to be a table, written [{program}]")
    if command:
        own = {name: value for name, value in own.items() if name in known}
    elif unknown := sorted(own.keys() - known):
        raise SetupError(f"{path}: [{prog}] has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}")
    return {name: content[name] for name in known if name in content and name != program} | own


def _find(
    setting: Setting, given: dict[str, Any], environ: Mapping[str, str], table: dict[str, Any]
) -> tuple[Any, str] | None:
    """Return the value of the strongest source and that source's name; None when no source has one."""
    if given.get(setting.name) not in (None, []):
        return given[setting.name], setting.name if setting.is_positional else setting.flag
    if setting.variable in environ:
        text = environ[setting.variable]
        return [part for part in text.split(",") if part] if setting.is_list else text, setting.variable
    if setting.is_secret and (path := environ.get(setting.variable + "_FILE")):
        try:
            return Path(path).read_text().strip(), setting.variable + "_FILE"
        except OSError as error:
            raise SetupError(f"{setting.variable}_FILE: {path}: {error.strerror}") from None
    if setting.name in table:
        return table[setting.name], f"{setting.name} in the file"
    return None


def _convert(setting: Setting, value: Any, source: str) -> Any:
    try:
        return msgspec.convert(value, setting.hint, strict=False)
    except msgspec.ValidationError:
        shown = "the value given" if setting.is_secret else repr(value)
        raise SetupError(f"{source}: {shown} is not {_expected(setting)}") from None


def _expected(setting: Setting) -> str:
    kind = setting.type
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    words = {int: "a whole number", bool: "true or false", float: "a number", str: "a text"}.get(kind, str(kind))
    for meta in getattr(setting.hint, "__metadata__", ()):
        words += "".join(f" {word} {bound}" for word, bound in _bounds(meta) if bound is not None)
    return words


def _bounds(meta: Any) -> list[tuple[str, Any]]:
    return [("from", meta.ge), ("to", meta.le), ("above", meta.gt), ("below", meta.lt), ("like", meta.pattern)]
