"""The front as anybody on this machine sees it."""

import asyncio

from corefast.supervisor.port import HOST

ANSWER_S = 2.0


async def takes_key(port: int, key: str) -> bool:
    """Tell whether the front on *port* says that *key* is good; False where it does not answer."""
    request = f"GET /v1/health HTTP/1.0\r\nAuthorization: Bearer {key}\r\n\r\n"
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(request.encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
    return status.split()[1:2] == [b"200"]
