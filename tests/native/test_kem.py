"""Round-3 Kyber on top of ML-KEM-1024."""

import pickle
from hashlib import sha3_256, shake_256

from pytest import raises

from corefast.errors import KeyMalformed
from corefast.native.kem import KemKeyPair, encapsulate

from .vectors import cases, raw


def test_the_answers_of_ml_kem_become_those_of_round_3_by_one_hash():
    for case in cases("ml_kem_1024"):
        secret, public, ciphertext, shared = raw(case, "secret", "public", "ciphertext", "shared")
        pair = KemKeyPair.from_secret(secret)
        assert pair.public == public
        expect = shake_256(shared + sha3_256(ciphertext).digest()).digest(32)
        assert pair.decapsulate(ciphertext) == expect


def test_both_ends_agree_also_after_a_restore():
    pair = KemKeyPair.generate()
    ciphertext, shared = encapsulate(pair.public)
    assert pair.decapsulate(ciphertext) == shared
    assert KemKeyPair.from_secret(pair.secret).decapsulate(ciphertext) == shared


def test_a_changed_ciphertext_yields_another_secret_without_an_error():
    pair = KemKeyPair.generate()
    ciphertext, shared = encapsulate(pair.public)
    assert pair.decapsulate(bytes([ciphertext[0] ^ 1]) + ciphertext[1:]) != shared


def test_wrong_sizes_and_coefficients_are_malformed():
    pair = KemKeyPair.generate()
    for broken in (b"", pair.public[1:], b"\xff" * len(pair.public)):
        with raises(KeyMalformed):
            encapsulate(broken)
    with raises(KeyMalformed):
        pair.decapsulate(bytes(1567))
    with raises(KeyMalformed):
        KemKeyPair.from_secret(bytes(63))


def test_a_pair_shows_and_pickles_nothing():
    pair = KemKeyPair.generate()
    assert repr(pair) == "<KemKeyPair>"
    with raises(TypeError):
        pickle.dumps(pair)
