"""Behind many of these tests is a core, as those of `tests.core` have it."""

from tests.core.conftest import few_prekeys

__all__ = ["few_prekeys"]
