"""What fuzzing found is tried again in every run, with its oracles and a bound on its memory."""

import importlib
import tracemalloc

from pytest import mark

from .corpus import FOLDER, TARGETS, load

MEMORY = 1_048_576
"""Bytes that any input may cost; beyond them an input costs a multiple of its size."""


@mark.parametrize("name", TARGETS)
def test_every_kept_input_meets_its_oracle(name):
    target = importlib.import_module(f"tests.fuzz.{name}")
    inputs = target.seeds() + load(name)
    assert len(inputs) > len(target.seeds())
    for each in inputs:
        target.run(each)


@mark.parametrize("name", TARGETS)
def test_memory_is_bounded_by_the_input(name):
    target = importlib.import_module(f"tests.fuzz.{name}")
    inputs = sorted(load(name), key=len)[-20:]
    for each in inputs:
        target.run(each)
    tracemalloc.start()
    for each in inputs:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        target.run(each)
        _, peak = tracemalloc.get_traced_memory()
        assert peak - before < MEMORY + 32 * len(each)
    tracemalloc.stop()


def test_the_corpus_stays_small():
    assert {file.stem for file in FOLDER.iterdir()} == set(TARGETS)
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 300 * 1024
