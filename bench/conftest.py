"""A bench is a function that asks for `benchmark`; what else a file holds are its helpers."""

import inspect
from typing import Any

import pytest


def pytest_pycollect_makeitem(collector: pytest.Module, name: str, obj: Any) -> list[pytest.Item] | None:
    if inspect.isfunction(obj) and "benchmark" in inspect.signature(obj).parameters:
        return None
    return []
