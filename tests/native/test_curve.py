"""X25519 against RFC 7748 and points that must not agree."""

import os

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pytest import mark, raises

from corefast.errors import KeyAgreementFailed, KeyMalformed
from corefast.native.curve import agree, public_from_private

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
