"""The swarm's process: registers the phones, says so, and says what came when its stdin ends.

`python -m bench.phones RELAY_URL COUNT ROOM BUSINESS OUTPUT`; each line on stdin is answered by one line of counters.
"""

import asyncio
import resource
import sys
from pathlib import Path

import uvloop

from bench.programs import say
from bench.swarm import Log, Phone, make_phones
from corefast.link.secure import initiator_ik
from corefast.net.client import RelayUrl, connect, parse_relay_url
from corefast.net.transport import Peer
from corefast.wire.codec import relay_codec
from corefast.wire.messages import Attach, FetchBundle

CONCURRENCY = 16


def main() -> None:
    url, count, room, business, output = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    log = Log(int(room))
    uvloop.run(run(parse_relay_url(url), int(count), log, business))
    Path(output).write_bytes(log.arrivals.tobytes())


async def run(relay: RelayUrl, count: int, log: Log, business: str) -> None:
    phones = make_phones(count, log)
    room = asyncio.Semaphore(CONCURRENCY)
    peers: list[Peer] = []

    async def open_phone(phone: Phone) -> None:
        async with room:
            peers.append(await attach(relay, phone))

    await asyncio.gather(*[open_phone(phone) for phone in phones])
    bundle = await peers[0].call(FetchBundle(business))
    for phone in phones:
        phone.business, phone.devices_version = business, bundle.devices_version
    say(ready="phones")
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while await commands.readline():
        say(
            received=log.received,
            repeated=log.repeated,
            unknown=log.unknown,
            answered=log.answered,
            open=sum(peer.is_open for peer in peers),
            errors=log.errors,
        )


async def attach(relay: RelayUrl, phone: Phone) -> Peer:
    """Return the phone's link, registered and attached."""
    handshake = initiator_ik(phone.link_private, relay.key)
    peer = await connect(relay.host, relay.port, handshake, relay_codec, phone)
    await peer.call(phone.registration())
    await peer.call(Attach())
    return peer


if __name__ == "__main__":
    main()
