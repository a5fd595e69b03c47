"""Safety numbers. That they are libsignal's is shown by `tests/peers`."""

from pytest import mark, raises

from corefast.errors import KeyMalformed, MessageMalformed
from corefast.protocol.fingerprint import make_fingerprint
from corefast.protocol.keys import KeyPair

from .party import RANDOM

ALICE, BOB = KeyPair.generate(RANDOM).public, KeyPair.generate(RANDOM).public


def test_both_sides_show_the_same_60_digits():
    ours, theirs = make_fingerprint(b"a", ALICE, b"b", BOB), make_fingerprint(b"b", BOB, b"a", ALICE)
    assert ours.shown == theirs.shown
    assert len(ours.shown) == 60 and ours.shown.isdecimal()
    assert ours.matches(theirs.scanned) and theirs.matches(ours.scanned)


def test_another_identity_or_number_shows_another_one():
    ours = make_fingerprint(b"a", ALICE, b"b", BOB)
    eve = KeyPair.generate(RANDOM).public
    for other in (make_fingerprint(b"b", eve, b"a", ALICE), make_fingerprint(b"c", BOB, b"a", ALICE)):
        assert other.shown != ours.shown
        assert not ours.matches(other.scanned)
    assert not ours.matches(ours.scanned)


@mark.parametrize("scanned", [b"", b"\xff", b"\x08\x02", b"\x08\x02\x12\x00\x1a\x00", b"\x0a\x02\x08\x02"])
def test_noise_is_no_code(scanned):
    with raises(MessageMalformed):
        make_fingerprint(b"a", ALICE, b"b", BOB).matches(scanned)


def test_a_code_of_another_version_is_told_apart():
    ours = make_fingerprint(b"a", ALICE, b"b", BOB)
    with raises(MessageMalformed, match="version"):
        ours.matches(make_fingerprint(b"b", BOB, b"a", ALICE, 1).scanned)


def test_a_key_without_its_type_is_malformed():
    with raises(KeyMalformed):
        make_fingerprint(b"a", ALICE[1:], b"b", BOB)
