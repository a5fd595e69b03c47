"""/openapi.json and /docs: what the API is, readable by machines and people, with nothing from elsewhere."""

from functools import cached_property
from importlib.resources import files

from api.answer import PROBLEMS, Answer, Header
from api.request import Request
from api.resource import Resource

_FILES = {
    "/": ("docs.html", b"text/html; charset=utf-8"),  # balancers of the original looked there
    "/docs": ("docs.html", b"text/html; charset=utf-8"),
    "/docs/docs.css": ("docs.css", b"text/css; charset=utf-8"),
    "/docs/docs.js": ("docs.js", b"text/javascript; charset=utf-8"),
}

_GUARDS: tuple[Header, ...] = (
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", b"default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Docs:
    """Files of the package, read once; the document is made when first asked for."""

    def __init__(self) -> None:
        self.openapi = Resource("openapi", PROBLEMS, GET=self._openapi)
        self.assets = {path: Resource("docs", PROBLEMS, GET=_Asset(*file).read) for path, file in _FILES.items()}

    async def _openapi(self, request: Request) -> Answer:
        return Answer(200, self._document, (b"content-type", b"application/json"), *_GUARDS)

    @cached_property
    def _document(self) -> bytes:
        from api import openapi  # 2 MiB that a front without readers of its docs does not need

        return openapi.encode()


class _Asset:
    def __init__(self, name: str, content_type: bytes) -> None:
        self._content = files("api").joinpath("assets", name).read_bytes()
        self._content_type = content_type

    async def read(self, request: Request) -> Answer:
        return Answer(200, self._content, (b"content-type", self._content_type), *_GUARDS)
