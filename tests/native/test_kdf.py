"""SHA-256, HMAC and HKDF against published answers and the standard library."""

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from pytest import mark, raises

from corefast.native.kdf import hkdf_sha256, hmac_sha256, sha256

from .vectors import cases, raw


def test_sha256_gives_the_answers_of_nist():
    for case in cases("sha256"):
        message, expect = raw(case, "message", "expect")
        assert sha256(message) == expect


def test_hmac_gives_the_answers_of_rfc_4231():
    for case in cases("hmac_sha256"):
        key, message, expect = raw(case, "key", "message", "expect")
        assert hmac_sha256(key, message)[: len(expect)] == expect


def test_hkdf_gives_the_answers_of_rfc_5869():
    for case in cases("hkdf_sha256"):
        ikm, salt, info, expect = raw(case, "ikm", "salt", "info", "expect")
        assert hkdf_sha256(ikm, salt, info, case["size"]) == expect


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_every_size_of_key_and_message_agrees_with_the_standard_library(key, message):
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")
    assert sha256(message) == hashlib.sha256(message).digest()


@mark.parametrize("size", [0, 1, 31, 32, 33, 80, 97])
def test_hkdf_of_every_size_of_info_agrees_with_another_library(size):
    ikm, salt = b"k" * 32, b"s" * 32
    for info in (bytes(range(256))[:length] for length in range(257)):
        reference = HKDF(SHA256(), size, salt, info).derive(ikm) if size else b""
        assert hkdf_sha256(ikm, salt, info, size) == reference


def test_hkdf_refuses_more_than_255_digests_and_an_endless_info():
    assert len(hkdf_sha256(b"k", b"", b"i" * 256, 255 * 32)) == 255 * 32
    with raises(ValueError):
        hkdf_sha256(b"k", b"", b"", 255 * 32 + 1)
    with raises(ValueError):
        hkdf_sha256(b"k", b"", b"i" * 257, 32)


def test_an_empty_salt_is_a_salt_of_zeros():
    assert hkdf_sha256(b"key", b"", b"info", 80) == hkdf_sha256(b"key", bytes(32), b"info", 80)
