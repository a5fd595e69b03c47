"""What a relay hands out to start a session with, and what a device publishes there; wrongly and rightly signed."""

from typing import Any

import msgspec

from corefast.endpoint.fanout import bundle_of
from corefast.errors import BundleInvalid, MessageUndecodable
from corefast.protocol.keys import KemKeyPair, KeyPair
from corefast.protocol.message import PreKeySignalMessage
from corefast.protocol.pin import Pin
from corefast.protocol.start import initiate
from corefast.relay.prekeys import check_upload
from corefast.wire.codec import relay_codec
from corefast.wire.messages import Bundle, DeviceBundle, PreKeyUpload, PublicPreKey, PutPreKeys, SignedPreKey

from .fixed import Draw

IDENTITY, OURS = KeyPair.generate(Draw(b"identity")), KeyPair.generate(Draw(b"ours"))
CURVE, KEM = KeyPair.generate(Draw(b"curve")), KemKeyPair.from_secret(Draw(b"kem")(64))
PINS = list(Pin)
RESIGNED, PIN_SHIFT = 1, 1


def _signed(id: int, public: bytes) -> SignedPreKey:
    return SignedPreKey(id, public, IDENTITY.sign(public, Draw(b"sign")))


def seeds() -> list[bytes]:
    signed, kem, one_time = _signed(11, CURVE.public), _signed(12, KEM.public), PublicPreKey(13, CURVE.public)
    bundles = [Bundle("1", IDENTITY.public, 1, [DeviceBundle(1, 7, signed, kem, key)]) for key in (one_time, None)]
    uploads = [PutPreKeys(PreKeyUpload(signed, kem, [one_time], [kem])), PutPreKeys(PreKeyUpload(signed))]
    heads = [is_resigned | pin << PIN_SHIFT for is_resigned in (0, 1) for pin in range(len(PINS))]
    return [bytes([head]) + relay_codec.encode(message) for head in heads for message in (*bundles, *uploads)]


def run(data: bytes) -> None:
    if not data:
        return
    try:
        message = relay_codec.decode(data[1:])
    except MessageUndecodable:
        return
    if data[0] & RESIGNED:
        message = _resign(message)
    if isinstance(message, Bundle):
        _start(message, PINS[(data[0] >> PIN_SHIFT) % len(PINS)])
    elif isinstance(message, PutPreKeys):
        _publish(message.prekeys)


def _start(bundle: Bundle, pin: Pin) -> None:
    """A bundle is refused by its one error, or starts a session whose first message names its keys."""
    for device in bundle.devices[:2]:
        keys = bundle_of(bundle, device)
        try:
            keys.verify(pin)
            session = initiate(OURS, 7, keys, Draw(b"session"), pin)
        except BundleInvalid:
            continue
        first = PreKeySignalMessage.parse(session.encrypt(b"first", Draw(b"session"))[1])
        assert (first.signed_id, first.one_time_id) == (keys.signed_id, keys.one_time_id)
        assert (first.kem_id is None) == (pin is Pin.X3DH) and session.their_identity == bundle.identity


def _publish(upload: PreKeyUpload) -> None:
    try:
        check_upload(IDENTITY.public, upload)
    except BundleInvalid:
        return
    for key in filter(None, (upload.signed, upload.last_resort)):
        assert len(key.public) in (33, 1_569)


def _resign(message: Any) -> Any:
    """Return *message* with every signature made anew over what it now holds, and our identity in its place."""
    if isinstance(message, SignedPreKey):
        return _signed(message.id, message.public) if len(message.public) < 2_000 else message
    if isinstance(message, list):
        return [_resign(each) for each in message[:3]]
    if isinstance(message, Bundle | DeviceBundle | PutPreKeys | PreKeyUpload):
        changed = {name: _resign(getattr(message, name)) for name in message.__struct_fields__}
        if isinstance(message, Bundle):
            changed["identity"] = IDENTITY.public
        return msgspec.structs.replace(message, **changed)
    return message
