"""The front as anybody on this machine sees it."""

import asyncio
import ssl

from corefast.supervisor.port import HOST

ANSWER_S = 2.0


async def takes_key(port: int, key: str, *, is_tls: bool = False) -> bool:
    """Tell whether the front on *port* says that *key* is good; False where it does not answer."""
    request = f"GET /v1/health HTTP/1.0\r\nAuthorization: Bearer {key}\r\n\r\n"
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(HOST, port, ssl=_unverified() if is_tls else None)
            try:
                writer.write(request.encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
    return status.split()[1:2] == [b"200"]


def _unverified() -> ssl.SSLContext:
    """Return a context for this machine, where nobody is on the way."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
