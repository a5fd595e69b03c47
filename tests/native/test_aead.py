"""AES-256-GCM and AES-256-CBC against published answers, and what they refuse."""

import pickle

from hypothesis import given
from hypothesis import strategies as st
from pytest import raises

from corefast.errors import CiphertextInvalid
from corefast.native.aead import AesGcm, cbc_decrypt, cbc_encrypt

from .vectors import cases, raw

KEY = bytes(range(32))
NONCE = bytes(12)


def test_gcm_gives_the_answers_of_nist_both_ways():
    for case in cases("aes_256_gcm"):
        key, nonce, ad, plaintext, expect = raw(case, "key", "nonce", "ad", "plaintext", "expect")
        assert AesGcm(key).seal(nonce, plaintext, ad) == expect
        assert AesGcm(key).open(nonce, expect, ad) == plaintext


def test_gcm_refuses_the_forgeries_of_nist():
    for case in cases("aes_256_gcm_forged"):
        key, nonce, ad, ciphertext = raw(case, "key", "nonce", "ad", "ciphertext")
        with raises(CiphertextInvalid):
            AesGcm(key).open(nonce, ciphertext, ad)


def test_cbc_gives_the_answers_of_nist_before_its_padding():
    for case in cases("aes_256_cbc"):
        key, iv, plaintext, expect = raw(case, "key", "iv", "plaintext", "expect")
        sealed = cbc_encrypt(key, iv, plaintext)
        assert sealed[:-16] == expect
        assert cbc_decrypt(key, iv, sealed) == plaintext


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_one_key_seals_and_opens_in_turn(plaintext, ad):
    key = AesGcm(KEY)
    for _ in range(2):
        sealed = key.seal(NONCE, plaintext, ad)
        assert key.open(NONCE, sealed, ad) == plaintext


@given(st.integers(0, 8 * (50 + 16) - 1))
def test_any_flipped_bit_is_refused_and_the_key_works_on(bit):
    key = AesGcm(KEY)
    sealed = key.seal(NONCE, b"x" * 50, b"ad")
    broken = bytearray(sealed)
    broken[bit // 8] ^= 1 << bit % 8
    with raises(CiphertextInvalid):
        key.open(NONCE, bytes(broken), b"ad")
    assert key.open(NONCE, sealed, b"ad") == b"x" * 50


def test_another_nonce_other_data_and_a_stump_are_refused():
    key = AesGcm(KEY)
    sealed = key.seal(NONCE, b"text", b"ad")
    for nonce, ciphertext, ad in [
        (b"\1" * 12, sealed, b"ad"),
        (NONCE, sealed, b"da"),
        (NONCE, sealed, b""),
        (NONCE, sealed[:15], b"ad"),
        (NONCE, b"", b"ad"),
    ]:
        with raises(CiphertextInvalid):
            key.open(nonce, ciphertext, ad)


def test_wrong_sizes_are_the_callers_fault():
    with raises(ValueError):
        AesGcm(bytes(16))
    with raises(ValueError):
        AesGcm(KEY).seal(bytes(11), b"")
    with raises(ValueError):
        AesGcm(KEY).open(bytes(13), bytes(16))
    with raises(ValueError):
        cbc_encrypt(KEY, bytes(12), b"")


def test_a_key_is_not_pickled():
    with raises(TypeError):
        pickle.dumps(AesGcm(KEY))


@given(st.binary(max_size=64).filter(lambda ciphertext: len(ciphertext) % 16 or not ciphertext))
def test_cbc_refuses_what_is_not_whole_blocks(ciphertext):
    with raises(CiphertextInvalid):
        cbc_decrypt(KEY, bytes(16), ciphertext)


def test_cbc_refuses_a_wrong_padding_and_works_on():
    sealed = cbc_encrypt(KEY, bytes(16), b"x" * 20)
    with raises(CiphertextInvalid):
        cbc_decrypt(KEY, bytes(16), sealed[:16])
    assert cbc_decrypt(KEY, bytes(16), sealed) == b"x" * 20
