"""Streams against the one-shot functions."""

import os
from random import Random

from pytest import raises

from corefast.errors import CiphertextInvalid
from corefast.native.aead import cbc_encrypt
from corefast.native.kdf import hmac_sha256
from corefast.native.stream import CbcStream, HmacStream


def pieces(data: bytes, seed: int) -> list[bytes]:
    dice, found = Random(seed), []
    while data:
        size = dice.choice([1, 15, 16, 17, 1_000])
        found.append(data[:size])
        data = data[size:]
    return found


def test_pieces_of_any_size_are_the_whole():
    key, iv = os.urandom(32), os.urandom(16)
    for size in (0, 1, 15, 16, 17, 4_096, 10_001):
        data = os.urandom(size)
        sealer, mac = CbcStream(key, iv, True), HmacStream(key)
        sealed = b"".join(map(sealer.update, pieces(data, size))) + sealer.finish()
        assert sealed == cbc_encrypt(key, iv, data)
        opener = CbcStream(key, iv, False)
        assert b"".join(map(opener.update, pieces(sealed, size + 1))) + opener.finish() == data
        for piece in pieces(data, size):
            mac.update(piece)
        assert mac.digest() == hmac_sha256(key, data)


def test_a_cut_or_wrongly_padded_stream_is_refused_at_its_end():
    key, iv = bytes(32), bytes(16)
    for sealed in (b"", cbc_encrypt(key, iv, b"x" * 20)[:-1], bytes(32)):
        opener = CbcStream(key, iv, False)
        opener.update(sealed)
        with raises(CiphertextInvalid):
            opener.finish()


def test_keys_of_another_size_are_refused():
    for key, iv in ((bytes(31), bytes(16)), (bytes(32), bytes(15))):
        with raises(ValueError):
            CbcStream(key, iv, True)
