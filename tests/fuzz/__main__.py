"""Fuzz one target: `python -m tests.fuzz TARGET FOLDER [libFuzzer options]`; see `make fuzz` in CONTRIBUTING.md."""

import importlib
import sys
from pathlib import Path

import atheris_no_libfuzzer as atheris  # the sanitizer's library, loaded first, brings libFuzzer

from .corpus import FOLDER, load


def kept(name: str) -> list[bytes]:
    return load(name) if (FOLDER / f"{name}.xz").exists() else []


def main() -> None:
    name, folder, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["corefast"]):
        target = importlib.import_module(f"tests.fuzz.{name}")
    corpus = Path(folder)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate([*target.seeds(), *kept(name)]):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], str(corpus), *options], target.run)
    atheris.Fuzz()


main()
