"""One HTTP request as the routes see it: headers, query and a body of bounded size."""

from codecs import BOM_UTF8
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from api.errors import BodyTooLarge, ClientGone
from api.multipart import FORM, Form
from corefast.errors import ParameterInvalid
from corefast.limits import MAX_BODY_BYTES

MAX_QUERY_FIELDS = 32
PATIENCE = "corefast.patience"
"""The extension by which a route tells the server that a request may take long as long as it goes on."""


class Request:
    """A thin view of an ASGI scope: nothing is parsed before a route asks for it."""

    __slots__ = ("_headers", "_receive", "_scope", "id")

    def __init__(self, scope: Scope, receive: Receive, request_id: str) -> None:
        self._scope = scope
        self._receive = receive
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self.id = request_id

    @property
    def path(self) -> dict[str, str]:
        """The variable parts of the path."""
        found: dict[str, str] = self._scope["path_params"]
        return found

    @property
    def client(self) -> str:
        """The address that the client came from; empty where the server does not know."""
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    @property
    def origin(self) -> str:
        """Scheme and host as the client wrote them."""
        host = self.header(b"host").decode("latin-1") or "localhost"
        return f"{self._scope['scheme']}://{host}"

    def header(self, name: bytes) -> bytes:
        """Return the header of that name (in lower case), empty when there is none.

        Raises `ParameterInvalid` where there are several: somebody on the way may have read another one than we.
        """
        sent = self._scope["headers"]
        if len(sent) != len(self._headers) and sum(other == name for other, _ in sent) > 1:
            raise ParameterInvalid(f"the header {name.decode('latin-1')} stands there more than once")
        return self._headers.get(name, b"")

    def has_header(self, name: bytes) -> bool:
        """Tell whether a header of that name (in lower case) is there, be it empty."""
        return name in self._headers

    def query(self) -> dict[str, str]:
        """Return the query's fields; the last one of a name counts."""
        raw: bytes = self._scope["query_string"]
        try:
            return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS))
        except ValueError:
            raise ParameterInvalid(f"the query has at most {MAX_QUERY_FIELDS} fields, percent-encoded") from None

    async def body(self, most: int = MAX_BODY_BYTES) -> bytes:
        """Return the whole body, without the byte order mark that some editors and clients put before any text.

        Raises `BodyTooLarge` as soon as it is known to have more than *most* bytes, `ClientGone` when it breaks off.
        """
        self._refuse_coding()
        announced = self.header(b"content-length")
        if announced and int(announced) > most:
            raise BodyTooLarge(f"a body has at most {most} bytes")
        message = await self._receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body", False):
            if len(body) > most:
                break
            message = await self._receive()
            body += message.get("body", b"")
        if message["type"] == "http.disconnect":
            raise ClientGone()
        if len(body) > most:
            raise BodyTooLarge(f"a body has at most {most} bytes")
        return body.removeprefix(BOM_UTF8)

    @property
    def announced(self) -> int:
        """How many bytes the body has by its Content-Length; 0 where that is not told."""
        return int(self.header(b"content-length") or 0)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, of any size, however long it takes while it comes; raise `ClientGone`."""
        self._refuse_coding()
        self._scope.get("extensions", {}).get(PATIENCE, _nothing)()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone()
            if body := message.get("body", b""):
                yield body
            if not message.get("more_body", False):
                return

    def _refuse_coding(self) -> None:
        """Raise `ParameterInvalid` for a compressed body: nothing here would know what is in it."""
        if self.header(b"content-encoding").lower() not in (b"", b"identity"):
            raise ParameterInvalid("Content-Encoding is not taken in requests: send the body as it is")

    async def file(self, pieces: AsyncIterator[bytes]) -> tuple[str, AsyncIterator[bytes]]:
        """Return type and bytes of the file in the body *pieces*: all of it, or the first file of a form.

        The type is empty where the client names none. Raises what `Form` raises.
        """
        kind = self.header(b"content-type")
        if not kind.lower().startswith(FORM):
            return kind.decode("latin-1"), pieces
        form = Form(kind, pieces)
        return await form.open(), form.file()

    async def disconnected(self) -> None:
        """Return once the client has gone; the body must have been read, or be of no interest."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _nothing() -> None:
    """What a server without patience does."""
