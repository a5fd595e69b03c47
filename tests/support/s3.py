"""Just enough of S3's HTTP API for a client to put, copy, read, list and delete objects; all of it in memory."""

import hashlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from aiohttp import web

BUCKET = "attic"
XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


class S3:
    """One bucket. *objects* by key; *parts* of uploads that are not complete."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.is_away = False
        self.reads = 0
        """Requests for parts of objects."""
        self.port = 0
        self._ids = itertools.count(1)

    @property
    def environ(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-central-1",
        }

    async def serve(self, request: web.Request) -> web.Response:
        if self.is_away:
            return web.Response(status=403)  # what is not tried again, as 5xx is
        key = request.path.removeprefix(f"/{BUCKET}").lstrip("/")
        handlers = {"PUT": self._put, "POST": self._post, "GET": self._get, "HEAD": self._get, "DELETE": self._delete}
        return await handlers[request.method](request, key)

    async def _put(self, request: web.Request, key: str) -> web.Response:
        if source := request.headers.get("x-amz-copy-source"):
            found = self.objects.get(source.removeprefix(f"/{BUCKET}").removeprefix(f"{BUCKET}").lstrip("/"))
            if found is None:
                return web.Response(status=404)
            self.objects[key] = found
            return _xml(f'<CopyObjectResult xmlns="{XMLNS}"><ETag>"{_etag(found)}"</ETag></CopyObjectResult>')
        data = await request.read()
        if "uploadId" in request.query:
            self.parts[request.query["uploadId"]][int(request.query["partNumber"])] = data
        else:
            self.objects[key] = data
        return web.Response(headers={"ETag": f'"{_etag(data)}"'})

    async def _post(self, request: web.Request, key: str) -> web.Response:
        body = await request.read()
        if "uploads" in request.query:
            upload = str(next(self._ids))
            self.parts[upload] = {}
            told = f"<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key><UploadId>{upload}</UploadId>"
            root = "InitiateMultipartUploadResult"
            return _xml(f'<{root} xmlns="{XMLNS}">{told}</{root}>')
        if "delete" in request.query:
            names = [each.text or "" for each in ElementTree.fromstring(body).iter() if each.tag.endswith("Key")]
            for name in names:
                self.objects.pop(name, None)
            gone = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in names)
            return _xml(f'<DeleteResult xmlns="{XMLNS}">{gone}</DeleteResult>')
        parts = self.parts.pop(request.query["uploadId"])
        self.objects[key] = data = b"".join(parts[number] for number in sorted(parts))
        root = "CompleteMultipartUploadResult"
        return _xml(f'<{root} xmlns="{XMLNS}"><ETag>"{_etag(data)}"</ETag></{root}>')

    async def _get(self, request: web.Request, key: str) -> web.Response:
        if "list-type" in request.query:
            prefix = request.query.get("prefix", "")
            held = "".join(
                f"<Contents><Key>{escape(name)}</Key><Size>{len(data)}</Size>"
                f'<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"{_etag(data)}"</ETag></Contents>'
                for name, data in self.objects.items()
                if name.startswith(prefix)
            )
            return _xml(f'<ListBucketResult xmlns="{XMLNS}">{held}<IsTruncated>false</IsTruncated></ListBucketResult>')
        data = self.objects.get(key)
        if data is None:
            return web.Response(status=404)
        headers = {"ETag": f'"{_etag(data)}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if not (span := request.headers.get("Range")):
            return web.Response(body=data, headers=headers)
        self.reads += 1
        first, last = (int(end) for end in span.removeprefix("bytes=").split("-"))
        headers["Content-Range"] = f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
        return web.Response(status=206, body=data[first : last + 1], headers=headers)

    async def _delete(self, request: web.Request, key: str) -> web.Response:
        if "uploadId" in request.query:
            self.parts.pop(request.query["uploadId"], None)
        else:
            self.objects.pop(key, None)
        return web.Response(status=204)


def _etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/xml")


@asynccontextmanager
async def bucket() -> AsyncIterator[S3]:
    """Serve an empty bucket."""
    made = S3()
    app = web.Application(client_max_size=64_000_000)
    app.router.add_route("*", "/{any:.*}", made.serve)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()
