"""The symmetric ratchet against the standard library."""

import hmac
import os

from pytest import raises

from corefast.errors import KeyMalformed
from corefast.native.kdf import hkdf_sha256
from corefast.protocol.chain import message_keys, step_chain


def test_a_step_is_two_hmacs_and_the_keys_one_hkdf():
    chain_key = os.urandom(32)
    seed, next_key = step_chain(chain_key)
    assert seed == hmac.digest(chain_key, b"\x01", "sha256")
    assert next_key == hmac.digest(chain_key, b"\x02", "sha256")
    assert b"".join(message_keys(seed)) == hkdf_sha256(seed, b"", b"WhisperMessageKeys", 80)


def test_keys_of_another_size_are_malformed():
    for derive in (step_chain, message_keys):
        with raises(KeyMalformed):
            derive(bytes(31))
