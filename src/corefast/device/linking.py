"""How a phone becomes a further device of a number: it meets the first device in a slot of the relay.

What is agreed is committed before the relay hears of it, so a phone that dies at any point either has no account yet,
or goes on where it was at its next start (`registration`).
"""

from pathlib import Path
from typing import Any

from corefast.device.connection import DeviceStopped
from corefast.device.handover import FirstDevice, Handover, NewDevice, make_handover
from corefast.device.link_code import LinkCode
from corefast.device.profile import LINK_KEY_BYTES, Options, Profile
from corefast.device.registration import Registration
from corefast.endpoint.stock import OwnKeys
from corefast.errors import RemoteRefused, SetupError
from corefast.link.secure import initiator_ik
from corefast.net.client import connect
from corefast.net.transport import Peer
from corefast.protocol.keys import KeyPair
from corefast.protocol.noise.handshake import KeyPair as LinkKey
from corefast.wire.codec import relay_codec
from corefast.wire.messages import JoinSlot, SlotAnswer, SlotJoined

JOIN_TIMEOUT_MS = 29_000
"""The relay gives the first device 20 s to answer."""


class Offer:
    """A code that this device, the first one, shows: good for one new device, for a while."""

    def __init__(self, slot: bytes, secret: bytes, expires_ms: int) -> None:
        self.slot = slot
        self._secret = secret
        self.expires_ms = expires_ms

    async def answer(self, profile: Profile, said: SlotJoined) -> bytes:
        """Return our message to who joined; raise `HandshakeFailed` unless it knows the code."""
        first = FirstDevice(self.slot, self._secret, profile.random)
        peers = await profile.directory.known_identities()
        handover = make_handover(profile.account.number, profile.own.identity, profile.name, peers)
        return first.answer(said.link_key, said.message, handover)


async def link(home: Path, text: str, options: Options) -> str:
    """Make the phone in *home* a device of the number whose first device shows the code *text*; return the number.

    A home that is linked already stays as it is; one that was on its way there goes on, or begins anew where the relay
    knows nothing of it any more. Raises `LinkCodeInvalid`; `SetupError` where the home is a phone of its own;
    `RemoteRefused` (`slot.closed`, `slot.refused`, `device.full`), `HandshakeFailed` and `ContentMalformed` where the
    code is used, wrong or somebody changed what passed; `LinkLost`. The home is usable with another code then.
    """
    code = LinkCode.parse(text)
    profile = await Profile.open(home, "", options)
    try:
        if profile.has_account:
            if profile.account.device == 1:
                raise SetupError(f"this home is a phone of its own, +{profile.account.number}; choose another --home")
            if profile.account.device or await _went_on(profile, code):
                return profile.account.number
        await _join(profile, code)
        return profile.account.number
    finally:
        await profile.close()


async def _went_on(profile: Profile, code: LinkCode) -> bool:
    """Complete what an earlier run began; where that is too late, leave an empty home."""
    peer = await _connect(profile.account.link_key, code)
    try:
        await Registration(profile).open(peer)
        return True
    except DeviceStopped:
        await profile.abandon()
        return False
    finally:
        await _hang_up(peer)


async def _join(profile: Profile, code: LinkCode) -> None:
    link_key = profile.random(LINK_KEY_BYTES)
    peer = await _connect(link_key, code)
    try:
        new = NewDevice(code.slot, code.secret, profile.random)
        hello = new.hello(LinkKey.from_private(link_key).public)
        answer: SlotAnswer = await peer.call(JoinSlot(code.slot, hello), JOIN_TIMEOUT_MS)
        await _adopt(profile, link_key, code.slot, new.take(answer.message))
        try:
            await Registration(profile).open(peer)
        except DeviceStopped as stopped:
            await profile.abandon()
            raise RemoteRefused(stopped.code, str(stopped)) from None
    finally:
        await _hang_up(peer)


async def _adopt(profile: Profile, link_key: bytes, slot: bytes, handover: Handover) -> None:
    own = OwnKeys.new(profile.random, KeyPair.from_private(handover.identity))
    await profile.adopt(handover, link_key, own, slot)


class _Deaf:
    """What the relay delivers here is not acked: it comes again on the phone's own link."""

    def received(self, peer: Peer, message: Any, call: int) -> None:
        pass

    def lost(self, peer: Peer, error: Exception | None) -> None:
        pass


async def _connect(link_key: bytes, code: LinkCode) -> Peer:
    relay = code.relay
    return await connect(relay.host, relay.port, initiator_ik(link_key, relay.key), relay_codec, _Deaf())


async def _hang_up(peer: Peer) -> None:
    peer.close()
    await peer.closed()
