"""Builds the bench's own Cython modules where they are, when their sources are newer."""

import contextlib
import io
from pathlib import Path

HERE = Path(__file__).parent


def build() -> None:
    """Make `swarm` and `load` importable."""
    sources = [source for source in HERE.glob("*.pyx") if _is_stale(source)]
    if not sources:
        return
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    extensions = [Extension(f"bench.{source.stem}", [str(source)], extra_compile_args=["-O2"]) for source in sources]
    modules = cythonize(extensions, language_level=3, quiet=True, compiler_directives={"wraparound": False})
    with contextlib.redirect_stdout(io.StringIO()):
        distribution = Distribution({"ext_modules": modules})
        command = distribution.get_command_obj("build_ext")
        command.inplace = True
        distribution.run_command("build_ext")


def _is_stale(source: Path) -> bool:
    built = list(source.parent.glob(f"{source.stem}.*.so"))
    return not built or max(each.stat().st_mtime for each in built) < source.stat().st_mtime
