"""The layers of docs/architecture.md hold: reads `import` and `cimport` in .py, .pyx and .pxd alike.

A package may use itself, the common words, and what its row names; every other arrow fails.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"

WORDS = {"corefast.errors", "corefast.limits", "corefast.address", "corefast.__version__"}
EYES = {"corefast.logs", "corefast.metrics"}
EDGE = EYES | {"corefast.config", "corefast.process"}

MAY_USE = {
    "corefast.errors": set(),
    "corefast.limits": set(),
    "corefast.address": set(),
    "corefast.logs": set(),
    "corefast.metrics": set(),
    "corefast.config": set(),
    "corefast.process": {"corefast.logs"},
    "corefast.native": set(),
    "corefast.protocol": {"corefast.native"},
    "corefast.wire": {"corefast.native"},
    "corefast.link": {"corefast.protocol.noise", "corefast.wire", "corefast.native"},
    "corefast.net": {"corefast.link", "corefast.wire"} | EYES,
    "corefast.store": EYES,
    "corefast.endpoint": {"corefast.protocol", "corefast.native", "corefast.wire.content", "corefast.wire.messages"},
    "corefast.relay": {
        "corefast.net",
        "corefast.link",
        "corefast.wire",
        "corefast.store",
        "corefast.protocol.noise",
        "corefast.protocol.bundle",
        "corefast.protocol.keys",
    }
    | EDGE,
    "corefast.core": {
        "corefast.net",
        "corefast.link",
        "corefast.wire",
        "corefast.store",
        "corefast.endpoint",
        "corefast.protocol.noise",
        "corefast.protocol.keys",
        "corefast.protocol.pin",
        "corefast.native.secret",
    }
    | EDGE,
    "corefast.device": {
        "corefast.net",
        "corefast.link",
        "corefast.wire",
        "corefast.store",
        "corefast.endpoint",
        "corefast.protocol.noise",
        "corefast.protocol.keys",
        "corefast.native.secret",
    }
    | EDGE,
    "api": {"corefast.wire", "corefast.net", "corefast.link.secure"} | EDGE,
    "corefast.supervisor": EDGE,
    "corefast.cli": {"corefast.config", "corefast.process"},
    "corefast.health": set(),
    "corefast.__main__": {"corefast.cli"},
    "corefast.__init__": set(),
}
"""What each package may use beside itself and the common words."""

MUST_NOT_USE = {
    "corefast.protocol": {"asyncio", "os", "random", "secrets", "socket", "time"},
    "corefast.wire": {"asyncio", "os", "socket", "time"},
    "corefast.link": {"asyncio", "os", "random", "secrets", "socket", "time"},
    "corefast": {"sqlite3"},
    "api": {"sqlite3"},
}
"""Modules from outside: clock, randomness, sockets are arguments; a second copy of SQLite breaks the first's locks."""

_CYTHON_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+c?import[ \t]+(\([^)]*\)|[^\n#]+)", re.M)
_CYTHON_IMPORT = re.compile(r"^[ \t]*c?import[ \t]+([\w., \t]+)", re.M)

SOURCES = sorted(path for path in SRC.rglob("*") if path.suffix in {".py", ".pyx", ".pxd"})


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts)


def row_of(module: str) -> str:
    """Return the row of the table that *module* belongs to."""
    return max((row for row in MAY_USE if is_within(module, row)), key=len, default="")


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def targets(path: Path) -> Iterator[str]:
    """Yield the dotted names that *path* imports: `a.b.c` for `from a.b import c`."""
    text = path.read_text()
    if path.suffix == ".py":
        yield from _python_targets(ast.parse(text), module_of(path))
        return
    for match in _CYTHON_FROM.finditer(text):
        for name in match[2].strip("()").split(","):
            if name.strip():
                yield f"{match[1]}.{name.split()[0]}"
    for match in _CYTHON_IMPORT.finditer(text):
        yield from (name.split()[0] for name in match[1].split(",") if name.strip())


def _python_targets(tree: ast.Module, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module.split(".")[: -node.level]) + "." if node.level else ""
            yield from (f"{base}{node.module or ''}.{alias.name}".replace("..", ".") for alias in node.names)


def complaints(module: str, target: str) -> Iterator[str]:
    row = row_of(module)
    if is_within(target, "corefast") or is_within(target, "api"):
        allowed = MAY_USE[row] | WORDS | {row}
        if not any(is_within(target, one) for one in allowed):
            yield f"{module} may not use {target}"
    for package, modules in MUST_NOT_USE.items():
        if is_within(module, package) and target.partition(".")[0] in modules:
            yield f"{module} may not use {target}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_point_down_only(path: Path):
    module = module_of(path)
    assert row_of(module) in MAY_USE, f"{module} has no row in the table of layers"
    wrong = {complaint for target in targets(path) for complaint in complaints(module, target)}
    assert not wrong, "\n".join(sorted(wrong))


def test_an_arrow_against_the_table_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "SRC", tmp_path)
    bad = tmp_path / "corefast" / "relay" / "router.pyx"
    bad.parent.mkdir(parents=True)
    bad.write_text(
        "import os, corefast.endpoint.vault\n"
        "from corefast.protocol.bundle import PreKeyBundle\n"
        "from corefast.protocol cimport (\n    keys,\n    session,\n)\n"
        "cimport corefast.core.app\n"
    )
    found = {complaint for target in targets(bad) for complaint in complaints(module_of(bad), target)}
    assert found == {
        "corefast.relay.router may not use corefast.endpoint.vault",
        "corefast.relay.router may not use corefast.protocol.session",
        "corefast.relay.router may not use corefast.core.app",
    }


def test_a_relative_import_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "SRC", tmp_path)
    bad = tmp_path / "corefast" / "core" / "app.py"
    bad.parent.mkdir(parents=True)
    bad.write_text("from ..relay import app\nfrom . import send\n")
    assert list(targets(bad)) == ["corefast.relay.app", "corefast.core.send"]
