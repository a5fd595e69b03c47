"""One message for many devices: a bundle for each, a part for each."""

from collections.abc import Mapping

from corefast.endpoint.cipher import Correspondent
from corefast.errors import BundleInvalid
from corefast.limits import MAX_DEVICE_ID, MAX_DEVICES
from corefast.protocol.bundle import PreKeyBundle
from corefast.protocol.keys import Random
from corefast.wire.messages import Bundle, DeviceBundle, Part

_LAST_VERSION = 2**31 - 1


def check_devices(bundle: Bundle) -> None:
    """Raise `BundleInvalid` unless the relay names some devices that can be a number's, each once."""
    devices = {each.device for each in bundle.devices}
    if not 0 < len(devices) == len(bundle.devices) <= MAX_DEVICES or not 0 < bundle.devices_version <= _LAST_VERSION:
        raise BundleInvalid("the relay's list of a number's devices is none")
    if not all(0 < device <= MAX_DEVICE_ID for device in devices):
        raise BundleInvalid("the relay names a device that no number can have")


def bundle_of(bundle: Bundle, device: DeviceBundle) -> PreKeyBundle:
    """Return what `Correspondent.start` needs for one device of the relay's answer; nothing is verified yet."""
    kem, one_time = device.kem, device.one_time
    return PreKeyBundle(
        identity=bundle.identity,
        registration_id=device.registration_id,
        signed_id=device.signed.id,
        signed_public=device.signed.public,
        signed_signature=device.signed.signature,
        kem_id=None if kem is None else kem.id,
        kem_public=None if kem is None else kem.public,
        kem_signature=None if kem is None else kem.signature,
        one_time_id=None if one_time is None else one_time.id,
        one_time_public=None if one_time is None else one_time.public,
    )


def fan_out(plaintext: bytes, correspondents: Mapping[int, Correspondent], random: Random) -> list[Part]:
    """Return *plaintext* encrypted for every device, in the order of their ids; all of them must have a session."""
    return [Part(device, *correspondents[device].encrypt(plaintext, random)) for device in sorted(correspondents)]
