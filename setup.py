"""Build the Cython modules; everything else is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": True,
    "wraparound": False,
    "embedsignature": True,
    # A cdef class pickles by default, secret and all.
    "auto_pickle": False,
    "autotestdict": False,
}


def find_extensions() -> list[Extension]:
    """Return one extension for each .pyx below src/; COREFAST_ONLY=wire,link narrows it to those packages."""
    only = os.environ.get("COREFAST_ONLY", "").split(",") if os.environ.get("COREFAST_ONLY") else []
    return [
        Extension(
            ".".join(source.relative_to("src").with_suffix("").parts),
            [str(source)],
            libraries=["dl"] if "store" in source.parts else ["crypto"],
            extra_compile_args=["-O2", "-fno-strict-aliasing"],
            define_macros=[("OPENSSL_SUPPRESS_DEPRECATED", "1")],
        )
        for source in sorted(Path("src").rglob("*.pyx"))
        if not only or source.parts[2] in only
    ]


CORES = len(os.sched_getaffinity(0))

setup(
    ext_modules=cythonize(find_extensions(), compiler_directives=DIRECTIVES, include_path=["src"], nthreads=CORES),
    options={"build_ext": {"parallel": CORES}},
)
