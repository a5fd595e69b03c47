"""`python -m api.peer show|pin|unpin|accept|list`: how customers stand with the core, and what the operator decides."""

import asyncio
import sys
from typing import Any

import msgspec

from api.config import PeerConfig
from api.gateway import CoreLink
from api.local import LINK_WAIT_MS, local_core, print_json, spell_time
from corefast import logs, process
from corefast.address import display_number
from corefast.config import load
from corefast.errors import CorefastError, SetupError
from corefast.wire.peer import AcceptIdentity, GetPeer, ListPeers, PeerPin, Peers, PeerView, PinPeer

_HASH_REMEDY = "compare the safety number that `corefast peer show {}` prints, then give its hash"
_REMEDIES = {
    "number.invalid": "write the number in international form, such as +49 30 23125000",
    "peer.unknown": "there is nothing to accept before the first message",
    "identity.mismatch": _HASH_REMEDY,
}


async def act(config: PeerConfig) -> None:
    """Do what *config* says; raise `SetupError` where it cannot be done."""
    request = _request(config)
    async with local_core(config.data, config.core) as core:
        try:
            if isinstance(request, ListPeers):
                await _list(core, request, config)
            else:
                _show(await core.call(request, PeerView, link_wait_ms=LINK_WAIT_MS), config)
        except SetupError:
            raise
        except CorefastError as error:
            remedy = _REMEDIES.get(error.code, "").format(config.number)
            raise SetupError(f"peer {config.action}: {error}" + (f"; {remedy}" if remedy else "")) from None


def _request(config: PeerConfig) -> GetPeer | PinPeer | AcceptIdentity | ListPeers:
    if config.action not in ("show", "pin", "unpin", "accept", "list"):
        raise SetupError(f"peer {config.action}: there are show, pin, unpin, accept and list")
    if config.action == "list":
        return ListPeers(account=config.account)
    if not config.number:
        raise SetupError(f"peer {config.action} NUMBER: say whom you mean, in international form")
    if config.action == "show":
        return GetPeer(config.number, config.account)
    if config.action == "accept":
        if not config.hash:
            raise SetupError(f"peer accept NUMBER HASH: {_HASH_REMEDY.format(config.number)}")
        return AcceptIdentity(config.number, config.hash, config.account)
    pin = PeerPin(config.protocol) if config.action == "pin" else PeerPin.NONE
    return PinPeer(config.number, pin, config.account)


async def _list(core: CoreLink, request: ListPeers, config: PeerConfig) -> None:
    views: list[PeerView] = []
    while True:
        page = await core.call(request, Peers, link_wait_ms=LINK_WAIT_MS)
        views += page.peers
        if not page.next:
            break
        request = ListPeers(page.next, account=config.account)
    if config.json:
        print_json({"peers": [_facts(view) for view in views]})
    elif not views:
        sys.stderr.write("no customer is pinned, and no identity key waits for a look\n")
    for view in [] if config.json else views:
        sys.stdout.write(f"{display_number(view.number)}  {', '.join(_notes(view))}\n")


def _show(view: PeerView, config: PeerConfig) -> None:
    if config.json:
        print_json(_facts(view))
        return
    lines = [display_number(view.number), *(f"  {note}" for note in _notes(view))]
    if view.identity_hash:
        since = f" since {spell_time(view.created_ms)}" if view.created_ms else ""
        lines += [f"  identity key {view.identity_hash}{since}", "  safety number"]
        groups = view.safety_number.split(" ")
        lines += ["    " + " ".join(groups[at : at + 4]) for at in range(0, len(groups), 4)]
    sys.stdout.write("\n".join(lines) + "\n")


def _notes(view: PeerView) -> list[str]:
    """Return what there is to say of a customer, in words; at least one."""
    notes = []
    if view.pin is not PeerPin.NONE:
        notes.append(f"pinned to {view.pin}")
    if not view.acknowledged:
        notes.append("new identity key, not accepted" + (": nothing is sent there" if view.blocked else ""))
    if view.downgraded:
        notes.append("offers no post-quantum key: refused, unless you pin it to x3dh")
    if not view.identity_hash:
        notes.append("never met")
    return notes or [f"{view.devices} device{'' if view.devices == 1 else 's'} with a session"]


def _facts(view: PeerView) -> dict[str, Any]:
    facts = msgspec.structs.asdict(view) | {"pin": view.pin.value}
    return facts if view.safety_number else {name: fact for name, fact in facts.items() if name != "safety_number"}


async def main(stop: asyncio.Event) -> None:
    config = load(PeerConfig, "peer", sys.argv[1:])
    logs.setup("peer", config.log_level)
    await act(config)


if __name__ == "__main__":
    sys.exit(process.run(main))
