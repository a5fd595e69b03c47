"""Keys with their type byte."""

from pytest import mark, raises

from corefast.errors import KeyMalformed, SignatureInvalid
from corefast.protocol.keys import KemKeyPair, KeyPair, check_on_curve, encapsulate, raw_public, verify_signature

from .party import RANDOM


def test_a_pair_survives_a_restore():
    pair = KeyPair.generate(RANDOM)
    assert KeyPair.from_private(pair.private).public == pair.public
    check_on_curve(pair.public)


def test_a_signature_belongs_to_its_key():
    ours, theirs = KeyPair.generate(RANDOM), KeyPair.generate(RANDOM)
    signature = ours.sign(b"message", RANDOM)
    verify_signature(ours.public, b"message", signature)
    with raises(SignatureInvalid):
        verify_signature(theirs.public, b"message", signature)


def test_a_kem_pair_survives_a_restore():
    pair = KemKeyPair.generate()
    ciphertext, shared = encapsulate(pair.public)
    assert KemKeyPair.from_secret(pair.secret).decapsulate(ciphertext) == shared


@mark.parametrize("public", [b"", bytes(33), b"\x05" + bytes(31), b"\x05" + bytes(33), b"\x06" + bytes(32)])
def test_a_key_of_another_type_or_size_is_malformed(public):
    for use in (
        raw_public,
        check_on_curve,
        encapsulate,
        KemKeyPair.generate().decapsulate,
    ):
        with raises(KeyMalformed):
            use(public)


def test_a_pair_shows_nothing():
    pair = KeyPair.generate(RANDOM)
    assert repr(pair) == "<KeyPair>"
    assert repr(KemKeyPair.generate()) == "<KemKeyPair>"
