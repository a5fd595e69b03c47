"""Encrypted files by the SHA-256 of what they hold, in a folder or in a bucket.

Nothing is readable before it is whole: a file grows under `incoming/` and gets its name at the end. obstore works in
threads of ours: its own asyncio functions may touch the interpreter after its end.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from corefast.errors import BlobUnknown, SetupError, StoreBusy, StoreFull
from corefast.limits import BLOB_CHUNK_BYTES, BLOB_FREE_BYTES
from corefast.relay.span import Spans

T = TypeVar("T")

SCHEME = "s3://"
THREADS = 4
_INCOMING = "incoming"
_FILE_BUFFER_BYTES = 4 * BLOB_CHUNK_BYTES
_PART_BYTES = 5_242_880
"""The smallest part that S3 takes of a file; smaller files go in one piece."""

_TRIES, _PATIENCE = 3, timedelta(seconds=20)
"""A bucket that does not answer is tried again so often and so long: who waits gives up after 30 s."""

_PARTS = 2
"""Parts of one file under way at a time: with the buffer, what an upload may hold in memory."""


class Partial:
    """A file that is growing."""

    def __init__(self, path: str, writer: Any) -> None:
        self.path = path
        self.writer = writer


class BlobFiles:
    """The files themselves; `open_files` makes one. Trouble with the place is `StoreBusy` or `StoreFull`."""

    def __init__(self, open_store: Callable[[], Any], folder: Path | None, random: Callable[[int], bytes]) -> None:
        self._open_store = open_store
        self._folder = folder
        self._random = random
        self._threads = ThreadPoolExecutor(THREADS, "blob")
        self._spans = Spans(self._get)

    @cached_property
    def _obstore(self) -> Any:
        import obstore  # costs 11 MB: only a relay that keeps files has it

        return obstore

    @cached_property
    def _store(self) -> Any:
        return self._open_store()

    async def begin(self) -> Partial:
        """Return a new file; raise `StoreFull` where the disk is nearly so: it may hold the database too."""
        if self._folder is not None and shutil.disk_usage(self._folder).free < BLOB_FREE_BYTES:
            raise StoreFull("the disk of the blob store is nearly full")
        path = f"{_INCOMING}/{self._random(16).hex()}"
        size = _PART_BYTES if self._folder is None else _FILE_BUFFER_BYTES
        writer = self._obstore.open_writer(self._store, path, buffer_size=size, max_concurrency=_PARTS)
        return Partial(path, writer)

    async def write(self, partial: Partial, data: bytes) -> None:
        """Append *data*; one call at a time for each file."""
        await self._run(lambda: partial.writer.write(data))

    async def keep(self, partial: Partial, name: bytes) -> None:
        """Make the file readable under *name*, durably."""
        await self._run(lambda: self._keep(partial, name))

    def _keep(self, partial: Partial, name: bytes) -> None:
        partial.writer.close()
        if self._folder is not None:
            _sync(self._folder / partial.path)
        self._obstore.rename(self._store, partial.path, _path(name))
        if self._folder is not None:
            _sync((self._folder / _path(name)).parent)

    async def drop(self, partial: Partial) -> None:
        """Forget a file that does not become whole."""
        partial.writer = None  # the end of its writer removes what it wrote to a disk
        with contextlib.suppress(BlobUnknown, StoreBusy):
            await self._run(lambda: self._obstore.delete(self._store, partial.path))

    async def read(self, name: bytes, offset: int, length: int, size: int) -> bytes:
        """Return *length* bytes from *offset* of a file of *size* bytes; raise `BlobUnknown`."""
        if self._folder is not None:
            return await self._get(name, offset, length)
        return await self._spans.read(name, offset, length, size)

    async def _get(self, name: bytes, offset: int, length: int) -> bytes:
        return await self._run(
            lambda: bytes(self._obstore.get_range(self._store, _path(name), start=offset, length=length))
        )

    async def delete(self, name: bytes) -> None:
        with contextlib.suppress(BlobUnknown):
            await self._run(lambda: self._obstore.delete(self._store, _path(name)))

    async def sweep(self) -> None:
        """Remove what an earlier process left half-way."""
        await self._run(self._sweep)

    def _sweep(self) -> None:
        if self._folder is not None:
            for path in (self._folder / _INCOMING).glob("*"):
                path.unlink(missing_ok=True)
            return
        for page in self._obstore.list(self._store, prefix=_INCOMING):
            self._obstore.delete(self._store, [found["path"] for found in page])

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except FileNotFoundError:
            raise BlobUnknown("there is no such file, or no longer") from None
        except Exception as error:  # the causes name paths and buckets: they stay here
            raise StoreBusy(f"the blob store failed: {type(error).__name__}") from None

    def close(self) -> None:
        self._threads.shutdown(wait=True)


def open_files(url: str, folder: Path, random: Callable[[int], bytes]) -> BlobFiles:
    """Return the files at *url* (`s3://bucket/prefix`, credentials from the AWS_… variables), else in *folder*."""
    if not url:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        return BlobFiles(lambda: _local_store(folder), folder, random)
    if not url.startswith(SCHEME):
        raise SetupError("--blob-store has to begin with s3://; without it the data folder holds the files")
    try:
        from obstore.store import from_url

        store = from_url(url, retry_config={"max_retries": _TRIES, "retry_timeout": _PATIENCE})
        return BlobFiles(lambda: store, None, random)
    except Exception as error:
        raise SetupError(f"--blob-store cannot be opened: {type(error).__name__}; see the AWS_… variables") from None


def _local_store(folder: Path) -> Any:
    from obstore.store import LocalStore

    return LocalStore(prefix=folder)


def _path(name: bytes) -> str:
    return f"{name[:1].hex()}/{name.hex()}"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
