"""A core that accepts every message at once: `python -m bench.stub_core SECRET_FILE`."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvloop

from api.gateway import read_secret
from bench.programs import say
from corefast.link.secure import responder_psk
from corefast.net.server import serve
from corefast.net.transport import Peer
from corefast.wire.codec import gateway_codec
from corefast.wire.gateway import Accepted, CheckKey, KeyView, Scope, Send

ACCOUNT = "493023125000"
_ACCEPTED = Accepted("gBGGSRcAAAAAAgkLl0Y0Pw", "49123123456")
_KEY = KeyView("stub", "stub", ACCOUNT, tuple(Scope), 0)


class Stub:
    """Answers without looking."""

    def received(self, peer: Peer, message: Any, call: int) -> None:
        if type(message) is Send:
            peer.answer(call, _ACCEPTED)
        elif type(message) is CheckKey:
            peer.answer(call, _KEY)

    def lost(self, peer: Peer, error: Exception | None) -> None:
        pass


async def main() -> None:
    stub = Stub()
    secrets = responder_psk([read_secret(Path(sys.argv[1]))])
    server = await serve("127.0.0.1", 0, secrets, gateway_codec, lambda peer: stub)
    say(ready="stub", listen=f"127.0.0.1:{server.port}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
