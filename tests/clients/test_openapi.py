"""Schemathesis reads openapi.json and sends what it allows, and what it does not, to every operation."""

import asyncio
import sys
from pathlib import Path

import uvloop

from tests.support.programs import System

EXAMPLES = 12
"""Of each operation and phase; always the same ones."""

UNCHECKED = "positive_data_acceptance"
"""A schema says shapes; how long a title may be, or that a template exists, is said by the refusal."""


def test_no_operation_answers_but_as_described(tmp_path: Path) -> None:
    async def main() -> None:
        up = System(tmp_path / "data", ("--demo",))
        try:
            await up.start()
            process = await asyncio.create_subprocess_exec(
                str(Path(sys.executable).with_name("st")),
                "run",
                f"{up.facts['api']}/openapi.json",
                *("--header", f"Authorization: Bearer {up.facts['api_key']}"),
                *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES)),
                *("--checks", "all", "--exclude-checks", UNCHECKED, "--generation-deterministic"),
                *("--exclude-tag", "absent"),  # what is not served is 501 on purpose, and any 5xx counts as a fault
                *("--continue-on-failure", "--warnings", "off", "--no-color"),
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            told = (await process.communicate())[0].decode()
            assert process.returncode == 0, told[-20_000:]
            assert " operations" in told.lower() and "generated" in told, told[-2_000:]
        finally:
            await up.stop()

    uvloop.run(main())
