"""X25519 against RFC 7748 and points that must not agree."""

import os

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_is_valid_point,
    crypto_scalarmult_ed25519_base_noclamp,
)
from pytest import mark, raises

from corefast.errors import KeyAgreementFailed, KeyMalformed
from corefast.native.curve import agree, is_on_curve, public_from_private

from .vectors import cases, raw

FIELD = 2**255 - 19
LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    FIELD - 1,
    FIELD,
    FIELD + 1,
]
"""All u whose multiples by a clamped scalar are zero, with their non-canonical spellings (cr.yp.to/ecdh.html)."""


TORSION = [
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]
"""Points of order 2, 4 and 8 in the Edwards form; the points of order 8 come in four, of which two are enough."""


def test_agreement_gives_the_answers_of_rfc_7748():
    for case in cases("x25519"):
        scalar, u, expect = raw(case, "scalar", "u", "expect")
        assert agree(scalar, u) == expect


def test_a_thousand_steps_give_the_answer_of_rfc_7748():
    k = u = (9).to_bytes(32, "little")
    for _ in range(1_000):
        k, u = agree(k, u), k
    assert k.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_both_ends_agree_and_so_does_another_library():
    ours, theirs = os.urandom(32), os.urandom(32)
    shared = agree(ours, public_from_private(theirs))
    assert shared == agree(theirs, public_from_private(ours))
    other = X25519PrivateKey.from_private_bytes(ours)
    assert other.public_key().public_bytes_raw() == public_from_private(ours)
    assert other.exchange(X25519PrivateKey.from_private_bytes(theirs).public_key()) == shared


@mark.parametrize("u", LOW_ORDER)
def test_a_low_order_point_agrees_with_nobody(u):
    with raises(KeyAgreementFailed):
        agree(os.urandom(32), u.to_bytes(32, "little"))


def test_keys_of_another_size_are_malformed():
    with raises(KeyMalformed):
        agree(bytes(31), bytes(32))
    with raises(KeyMalformed):
        agree(bytes(32), bytes(33))
    with raises(KeyMalformed):
        public_from_private(bytes(33))


def test_every_public_key_is_a_canonical_point_of_prime_order():
    for _ in range(32):
        public = public_from_private(os.urandom(32))
        assert is_on_curve(public)
        assert not is_on_curve(public[:31] + bytes([public[31] | 0x80]))
        assert not is_on_curve(public + b"\0")
        assert not is_on_curve(public[:31])


def test_a_point_of_prime_order_plus_one_of_low_order_is_told():
    for torsion in TORSION:
        point = crypto_scalarmult_ed25519_base_noclamp(os.urandom(31) + b"\0")
        assert is_on_curve(montgomery(point))
        assert not is_on_curve(montgomery(crypto_core_ed25519_add(point, bytes.fromhex(torsion))))


def test_exactly_the_points_that_the_edwards_form_calls_valid_are_on_the_curve():
    seen = set()
    for _ in range(300):
        u = os.urandom(31) + bytes([os.urandom(1)[0] & 0x7F])
        number = int.from_bytes(u, "little")
        y = (number - 1) * pow(number + 1, -1, FIELD) % FIELD
        expected = bool(crypto_core_ed25519_is_valid_point(y.to_bytes(32, "little")))
        assert is_on_curve(u) == expected
        seen.add(expected)
    assert seen == {False, True}


@mark.parametrize("u", [*LOW_ORDER, 2, FIELD + 9, 2**255 - 1, 2**256 - 1])
def test_low_order_the_twist_and_odd_spellings_are_not_on_the_curve(u):
    assert not is_on_curve(u.to_bytes(32, "little"))


def montgomery(edwards):
    y = int.from_bytes(edwards, "little") & (1 << 255) - 1
    return ((1 + y) * pow(1 - y, -1, FIELD) % FIELD).to_bytes(32, "little")
