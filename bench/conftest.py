"""A bench is a function that asks for `benchmark`; the other functions of its file are its helpers."""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if "benchmark" in getattr(item, "fixturenames", ())]
