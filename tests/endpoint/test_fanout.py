"""Which lists of devices a relay may name."""

import msgspec
import pytest

from corefast.endpoint.fanout import check_devices
from corefast.errors import BundleInvalid
from corefast.limits import MAX_DEVICE_ID, MAX_DEVICES
from corefast.wire.messages import Bundle, DeviceBundle, SignedPreKey

KEY = SignedPreKey(1, b"", b"")


def listed(*devices: int) -> Bundle:
    return Bundle("4915100000000", b"", 3, [DeviceBundle(each, 1, KEY, KEY, None) for each in devices])


def test_list_of_devices_has_each_once_and_some_that_can_be() -> None:
    for devices in ((1,), (MAX_DEVICE_ID,), range(2, 2 + MAX_DEVICES)):
        check_devices(listed(*devices))
    for devices in ((), (0,), (-1,), (2**40,), (2**63,), (MAX_DEVICE_ID + 1,), (1, 1), range(1, 2 + MAX_DEVICES)):
        with pytest.raises(BundleInvalid):
            check_devices(listed(*devices))
    for version in (0, -5, 2**31, 2**63):
        with pytest.raises(BundleInvalid):
            check_devices(msgspec.structs.replace(listed(1), devices_version=version))
