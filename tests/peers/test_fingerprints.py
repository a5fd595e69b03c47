"""Safety numbers with real implementations of libsignal, computed and scanned on both sides."""

from pytest import mark

from corefast.protocol.fingerprint import make_fingerprint
from corefast.protocol.keys import KeyPair
from tests.protocol.party import RANDOM


def people():
    """Yield pairs of (number, identity), ours and theirs."""
    for number in range(5):
        yield tuple((b"+4930231250%02d" % (2 * number + side), KeyPair.generate(RANDOM).public) for side in (0, 1))


@mark.parametrize("version", [1, 2])
def test_safety_numbers_are_those_of_libsignal(any_peer, version):
    for ours, theirs in people():
        made = make_fingerprint(*ours, *theirs, version)
        assert (made.shown, made.scanned) == any_peer.fingerprint(ours, theirs, version)
        assert made.matches(any_peer.fingerprint(theirs, ours, version)[1])


def test_safety_numbers_are_those_of_libsignal_c_whichever_side_scans(libsignal_c_device):
    version = 1  # of people known by their numbers; it knows no other that is ours
    for ours, theirs in people():
        made, stranger = make_fingerprint(*ours, *theirs, version), (theirs[0], KeyPair.generate(RANDOM).public)
        assert (made.shown, made.scanned) == libsignal_c_device.fingerprint(ours, theirs, version)
        assert made.matches(libsignal_c_device.fingerprint(theirs, ours, version)[1])
        assert not made.matches(libsignal_c_device.fingerprint(stranger, ours, version)[1])
        assert libsignal_c_device.matches(theirs, ours, version, made.scanned)
        assert not libsignal_c_device.matches(stranger, ours, version, made.scanned)
