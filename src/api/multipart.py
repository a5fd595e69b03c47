"""The file in a form (RFC 7578), taken out while it comes: clients of other APIs upload that way.

It does not know what the file is for, nor any other field of the form.
"""

import mimetypes
from collections.abc import AsyncIterator, Callable
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any

from corefast.errors import ParameterInvalid, ParameterMissing

MAX_HEAD_BYTES = 1_024
"""Of the form's Content-Type, and of a part's headers: the library's reader takes quadratic time, here 2 ms."""

MAX_PARTS = 32
MAX_OTHER_FIELDS_BYTES = 1_048_576
"""What may come besides the file: fields of text, the form's own lines."""

FORM = b"multipart/form-data"
_ANY = "application/octet-stream"


class Form:
    """A form as it comes in *pieces*; `open` finds the first file, `file` yields its bytes."""

    def __init__(self, content_type: bytes, pieces: AsyncIterator[bytes]) -> None:
        if len(content_type) > MAX_HEAD_BYTES:
            raise ParameterInvalid(f"the Content-Type of a form has at most {MAX_HEAD_BYTES} characters")
        head = Message()
        head["content-type"] = content_type.decode("latin-1")
        boundary = _of(head.get_boundary) or ""
        if not 1 <= len(boundary) <= 70 or not boundary.isascii():
            raise ParameterInvalid("the form's Content-Type has no boundary of 1 to 70 characters")
        self._delimiter = f"\r\n--{boundary}".encode()
        self._pieces = pieces
        self._held = bytearray(b"\r\n")  # the first delimiter may stand at the very start
        self._spared = 0

    async def open(self) -> str:
        """Return the type of the first file, and stand at its first byte; raise `ParameterMissing` without one.

        Where the client leaves the type open, the ending of the file's name says it.
        """
        for _ in range(MAX_PARTS):
            await self._skip_past(self._delimiter)
            await self._fill(2)
            if self._held.startswith(b"--"):
                raise ParameterMissing("the form has no file; or send its bytes as the body, with its own Content-Type")
            head = BytesHeaderParser().parsebytes(bytes(await self._head()))
            name = _of(head.get_filename)
            if name is not None or _of(head.get_param, "name", None, "content-disposition") == "file":
                kind = str(head["content-type"] or _ANY).strip()
                return kind if kind != _ANY else mimetypes.guess_type(name or "")[0] or _ANY
        raise ParameterInvalid(f"a form has at most {MAX_PARTS} parts")

    async def file(self) -> AsyncIterator[bytes]:
        """Yield the file; what comes behind it in the form is read and dropped."""
        keep = len(self._delimiter) - 1
        while (end := self._held.find(self._delimiter)) < 0:
            if len(self._held) > keep:
                yield bytes(self._held[:-keep])
                del self._held[:-keep]
            await self._more()
        if end:
            yield bytes(self._held[:end])
        self._spare(len(self._held) - end)
        self._held.clear()
        async for piece in self._pieces:
            self._spare(len(piece))

    async def _head(self) -> bytearray:
        """Return the part's headers, and stand behind them."""
        while (end := self._held.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)) < 0:
            if len(self._held) >= MAX_HEAD_BYTES:
                raise ParameterInvalid(f"a part of the form has more than {MAX_HEAD_BYTES} bytes of headers")
            await self._more()
        head = self._held[:end].lstrip()
        del self._held[: end + 4]
        return head

    async def _skip_past(self, mark: bytes) -> None:
        while (at := self._held.find(mark)) < 0:
            dropped = max(0, len(self._held) - len(mark) + 1)
            self._spare(dropped)
            del self._held[:dropped]
            await self._more()
        self._spare(at)
        del self._held[: at + len(mark)]

    async def _fill(self, wanted: int) -> None:
        while len(self._held) < wanted:
            await self._more()

    async def _more(self) -> None:
        try:
            self._held += await anext(self._pieces)
        except StopAsyncIteration:
            raise ParameterInvalid("the form breaks off before its last boundary") from None

    def _spare(self, count: int) -> None:
        self._spared += count
        if self._spared > MAX_OTHER_FIELDS_BYTES:
            raise ParameterInvalid(f"a form has at most {MAX_OTHER_FIELDS_BYTES} bytes besides its file")


def _of(read: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the library's reader of a header finds; raise `ParameterInvalid` where it gives up, in any way."""
    try:
        return read(*arguments)
    except Exception:  # TypeError for a parameter in parts some of which have no number, ValueError for a huge one
        raise ParameterInvalid("a header of the form cannot be read") from None
