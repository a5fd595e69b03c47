"""A bundle is believed only as far as its identity signed it."""

from msgspec.structs import replace
from pytest import mark, raises

from corefast.errors import BundleInvalid, KeyAgreementFailed
from corefast.protocol.bundle import check_signed_prekeys
from corefast.protocol.keys import KemKeyPair

from .party import RANDOM, Party

ALICE, BOB = Party(), Party()
BUNDLE = BOB.bundle()


def test_a_genuine_bundle_is_valid_with_and_without_a_one_time_prekey():
    BUNDLE.verify()
    BOB.bundle(with_one_time=False).verify()


@mark.parametrize(
    "change",
    [
        {"kem_public": b""},
        {"kem_public": b"", "kem_signature": b"", "kem_id": 0},
        {"kem_public": BUNDLE.signed_public, "kem_signature": BUNDLE.signed_signature},
        {"signed_public": BUNDLE.kem_public, "signed_signature": BUNDLE.kem_signature},
        {"kem_public": b"\x0a" + BUNDLE.kem_public[1:]},
        {"kem_public": KemKeyPair.generate().public},
        {"kem_signature": bytes(64)},
        {"kem_signature": BUNDLE.signed_signature},
        {"signed_public": ALICE.signed.public},
        {"signed_public": BUNDLE.signed_public[1:]},
        {"signed_public": b""},
        {"signed_signature": BUNDLE.signed_signature[:63]},
        {"identity": ALICE.identity.public},
        {"identity": b"\x05" + bytes(32)},
        {"identity": b""},
        {"one_time_public": None},
        {"one_time_id": None},
        {"one_time_public": b"\x06" + bytes(32)},
        {"signed_id": -1},
        {"kem_id": 2**32},
        {"registration_id": 2**32},
    ],
)
def test_a_changed_bundle_is_refused_by_verify_and_by_initiate(change):
    broken = replace(BUNDLE, **change)
    with raises(BundleInvalid):
        broken.verify()
    with raises(BundleInvalid):
        ALICE.initiate(broken)


def test_a_signed_prekey_with_an_impossible_coefficient_is_refused():
    public = b"\x08" + b"\xff" * 1568
    broken = replace(BUNDLE, kem_public=public, kem_signature=BOB.identity.sign(public, RANDOM))
    with raises(BundleInvalid):
        ALICE.initiate(broken)


def test_a_signed_prekey_of_low_order_agrees_with_nobody():
    public = b"\x05" + bytes(32)
    broken = replace(BUNDLE, signed_public=public, signed_signature=BOB.identity.sign(public, RANDOM))
    with raises(KeyAgreementFailed):
        ALICE.initiate(broken)


def test_a_one_time_prekey_of_low_order_agrees_with_nobody():
    with raises(KeyAgreementFailed):
        ALICE.initiate(replace(BUNDLE, one_time_public=b"\x05" + bytes(32)))


def test_a_relay_can_check_prekeys_of_both_kinds():
    signed = [(BUNDLE.signed_public, BUNDLE.signed_signature), (BUNDLE.kem_public, BUNDLE.kem_signature)]
    check_signed_prekeys(BUNDLE.identity, signed)
    for public, signature in [
        (BUNDLE.signed_public, BUNDLE.kem_signature),
        (BUNDLE.signed_public + b"x", BUNDLE.signed_signature),
        (b"", b""),
        (b"\x08" + BUNDLE.signed_public[1:], BUNDLE.signed_signature),
    ]:
        with raises(BundleInvalid):
            check_signed_prekeys(BUNDLE.identity, [*signed, (public, signature)])
