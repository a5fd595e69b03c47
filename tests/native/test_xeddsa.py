"""XEdDSA against the reference library and against forgeries."""

import os

import xeddsa as reference
from pytest import mark, raises

from corefast.errors import KeyMalformed, SignatureInvalid
from corefast.native.curve import public_from_private
from corefast.native.xeddsa import FIELD, VerifyKey, sign, verify

from .vectors import cases, raw

ORDER = 2**252 + 27742317777372353535851937790883648493


def make_pair() -> tuple[bytes, bytes]:
    private = os.urandom(32)
    return private, public_from_private(private)


def test_published_ed25519_signatures_verify_under_the_montgomery_form_of_their_keys():
    """u = (1 + y) / (1 - y) (RFC 7748, 4.1); the sign of the Edwards key travels in the signature."""
    for case in cases("ed25519"):
        edwards, message, signature = raw(case, "public", "message", "signature")
        y = int.from_bytes(edwards, "little") % 2**255
        u = (1 + y) * pow(1 - y, -1, FIELD) % FIELD
        carried = signature[:63] + bytes([signature[63] | edwards[31] & 0x80])
        verify(u.to_bytes(32, "little"), message, carried)
        with raises(SignatureInvalid):
            verify(u.to_bytes(32, "little"), message + b"x", carried)


@mark.parametrize("size", [0, 1, 33, 1569])
def test_a_signature_verifies_under_its_own_key_and_message_only(size):
    private, public = make_pair()
    message = os.urandom(size)
    signature = sign(private, message, os.urandom(64))
    verify(public, message, signature)
    for wrong_public, wrong_message in [(make_pair()[1], message), (public, message + b"x")]:
        with raises(SignatureInvalid):
            verify(wrong_public, wrong_message, signature)


def test_one_key_verifies_signatures_of_either_sign():
    private, public = make_pair()
    key = VerifyKey(public)
    ours = sign(private, b"message", os.urandom(64))
    by_sign = {}
    for force in (False, True):
        seed = reference.priv_force_sign(private, force)
        signature = bytearray(reference.ed25519_priv_sign(seed, b"message", os.urandom(64)))
        signature[63] |= 0x80 if force else 0
        by_sign[force] = bytes(signature)
    for signature in (ours, *by_sign.values()):
        key.verify(b"message", signature)
        with raises(SignatureInvalid):
            key.verify(b"message", signature[:63] + bytes([signature[63] ^ 0x80]))


def test_the_reference_library_signs_what_we_verify():
    for _ in range(8):
        private, public = make_pair()
        seed = reference.priv_force_sign(private, False)
        signature = reference.ed25519_priv_sign(seed, b"message", os.urandom(64))
        verify(public, b"message", signature)


def test_the_reference_library_verifies_what_we_sign():
    for _ in range(8):
        private, public = make_pair()
        signature = bytearray(sign(private, b"message", os.urandom(64)))
        sign_bit = signature[63] >> 7
        signature[63] &= 0x7F
        edwards = reference.curve25519_pub_to_ed25519_pub(public, bool(sign_bit))
        assert reference.ed25519_verify(bytes(signature), edwards, b"message")


def test_every_flipped_bit_is_refused():
    private, public = make_pair()
    signature = sign(private, b"message", os.urandom(64))
    for bit in range(512):
        broken = bytearray(signature)
        broken[bit // 8] ^= 1 << bit % 8
        with raises(SignatureInvalid):
            verify(public, b"message", bytes(broken))


def test_the_same_signature_plus_the_group_order_is_refused():
    private, public = make_pair()
    signature = sign(private, b"message", os.urandom(64))
    sign_bit = signature[63] & 0x80
    s = int.from_bytes(signature[32:63] + bytes([signature[63] & 0x7F]), "little") + ORDER
    malleable = bytearray(signature[:32] + s.to_bytes(32, "little"))
    malleable[63] |= sign_bit
    with raises(SignatureInvalid):
        verify(public, b"message", bytes(malleable))


@mark.parametrize("u", [0, 1, FIELD - 1, FIELD, FIELD + 1, 2**255 - 1, 2**256 - 1])
def test_a_key_of_low_order_or_odd_spelling_signs_nothing(u):
    for signature in (bytes(64), bytes(63) + b"\x80"):
        with raises(SignatureInvalid):
            verify(u.to_bytes(32, "little"), b"message", signature)


def test_wrong_sizes_are_refused():
    private, public = make_pair()
    with raises(SignatureInvalid):
        verify(public, b"", bytes(63))
    with raises(SignatureInvalid):
        verify(public[:31], b"", bytes(64))
    with raises(KeyMalformed):
        sign(private, b"", bytes(32))
    with raises(KeyMalformed):
        sign(bytes(31), b"", bytes(64))
