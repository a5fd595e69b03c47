"""A large file through real programs: little memory in each of them, and nothing of it where it must not be."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from corefast.limits import MAX_MEDIA_BYTES
from tests.scenarios.conftest import Tell
from tests.scenarios.test_secrets import memory_of
from tests.support.business import Business

CANARY = b"CanaryMediaTezcatlipoca"
PIECE = (CANARY + os.urandom(65_536))[:65_536]
SIZE = MAX_MEDIA_BYTES
PROGRAMS = ("relay", "core", "api")
GROWTH_BYTES = 20_971_520


def rss_of(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1_024 for line in lines if line.startswith(name))


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(SIZE // len(PIECE)):
        yield PIECE


async def put(business: Business, data: object) -> str:
    headers = business.headers | {"Content-Type": "application/octet-stream"}
    status, answer = await business.request("POST", "/v1/media", data=data, headers=headers)
    assert status == 200, answer
    return str(answer["media"][0]["id"])


async def digest_of(business: Business, media_id: str) -> str:
    assert business.http is not None
    found = hashlib.sha256()
    async with business.http.get(f"{business.facts['api']}/v1/media/{media_id}", headers=business.headers) as answer:
        assert answer.status == 200
        async for piece in answer.content.iter_chunked(65_536):
            found.update(piece)
    return found.hexdigest()


def forget_peaks(pids: dict[str, int]) -> dict[str, int]:
    """Let the kernel measure peaks anew; return what each program holds now."""
    for pid in pids.values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    return {name: rss_of(pid, "VmRSS:") for name, pid in pids.items()}


@pytest.mark.one_engine
def test_100_megabytes_stream_through_every_program_and_leave_no_trace_of_what_they_are(tell: Tell, tmp_path: Path):
    business = Business(tmp_path / "data", COREFAST_LOG_LEVEL="debug")
    tell(business.open())
    try:
        warm = tell(put(business, PIECE * 4))
        tell(digest_of(business, warm))
        pids = {name: pid for name in PROGRAMS if (pid := business.pid(name)) is not None}
        assert len(pids) == len(PROGRAMS)
        before = forget_peaks(pids)
        media_id = tell(put(business, pieces()))
        peaks = {name: rss_of(pid, "VmHWM:") - before[name] for name, pid in pids.items()}
        assert max(peaks.values()) <= GROWTH_BYTES, peaks
        before = forget_peaks(pids)
        expected = hashlib.sha256()
        for _ in range(SIZE // len(PIECE)):
            expected.update(PIECE)
        assert tell(digest_of(business, media_id)) == expected.hexdigest()
        peaks = {name: rss_of(pid, "VmHWM:") - before[name] for name, pid in pids.items()}
        assert max(peaks.values()) <= GROWTH_BYTES, peaks
        assert CANARY not in memory_of(pids["relay"])
        assert [
            str(path) for path in business.folder.rglob("*") if path.is_file() and CANARY in path.read_bytes()
        ] == []
        blobs = [path for path in (business.folder / "relay" / "blobs").rglob("*") if path.is_file()]
        assert len(blobs) == 2 and list((business.folder / "core" / "media").rglob("*.part")) == []
    finally:
        assert tell(business.close()) == 0
