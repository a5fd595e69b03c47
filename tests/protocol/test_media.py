"""Encrypted files against the standard library and `cryptography`, and against those who change them."""

import hmac
import os
import tracemalloc
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pytest import mark, raises

from corefast.errors import CiphertextInvalid, KeyMalformed
from corefast.protocol.media import MediaKind, MediaOpener, MediaSealer, derive_media_keys

KEY = bytes(range(32))


def seal(data: bytes, kind: MediaKind = MediaKind.IMAGE, piece: int = 1_000) -> tuple[bytes, MediaSealer]:
    sealer = MediaSealer(KEY, kind)
    parts = [sealer.update(data[at : at + piece]) for at in range(0, len(data), piece)]
    return b"".join(parts) + sealer.finish(), sealer


def open_file(
    sealed: bytes, kind: MediaKind = MediaKind.IMAGE, piece: int = 777, plain_hash: bytes | None = None
) -> bytes:
    opener = MediaOpener(KEY, kind, plain_hash)
    parts = [opener.update(sealed[at : at + piece]) for at in range(0, len(sealed), piece)]
    return b"".join(parts) + opener.finish()


@mark.parametrize("size", [0, 1, 15, 16, 17, 65_536, 100_001])
def test_a_file_is_what_a_second_implementation_makes_of_it(size):
    data = os.urandom(size)
    sealed, sealer = seal(data)
    keys = HKDF(SHA256(), 112, None, b"WhatsApp Image Keys").derive(KEY)
    padded = data + bytes([16 - size % 16]) * (16 - size % 16)
    encryptor = Cipher(algorithms.AES(keys[16:48]), modes.CBC(keys[:16])).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    assert sealed == ciphertext + hmac.digest(keys[48:80], keys[:16] + ciphertext, "sha256")[:10]
    assert (sealer.plain_hash, sealer.file_hash) == (sha256(data).digest(), sha256(sealed).digest())


@mark.parametrize("piece", [1, 9, 10, 11, 4_096])
def test_a_file_is_opened_in_pieces_of_any_size(piece):
    data = os.urandom(3_000)
    sealed, sealer = seal(data)
    assert open_file(sealed, piece=piece, plain_hash=sealer.plain_hash) == data


def test_a_changed_cut_or_longer_file_is_refused():
    sealed, _ = seal(b"x" * 100)
    for place in (0, 50, len(sealed) - 11, len(sealed) - 1):
        broken = bytearray(sealed)
        broken[place] ^= 1
        with raises(CiphertextInvalid):
            open_file(bytes(broken))
    for size in range(len(sealed)):
        with raises(CiphertextInvalid):
            open_file(sealed[:size])
    with raises(CiphertextInvalid):
        open_file(sealed + b"x")


def test_a_file_of_another_kind_or_announcement_is_refused():
    sealed, _ = seal(b"x" * 100)
    with raises(CiphertextInvalid):
        open_file(sealed, MediaKind.VIDEO)
    with raises(CiphertextInvalid):
        open_file(sealed, plain_hash=sha256(b"y").digest())


def test_a_media_key_of_another_size_is_malformed():
    with raises(KeyMalformed):
        derive_media_keys(KEY[:-1], MediaKind.AUDIO)


def test_a_stream_takes_constant_memory():
    sealer, opener, piece = MediaSealer(KEY, MediaKind.VIDEO), MediaOpener(KEY, MediaKind.VIDEO), bytes(65_536)
    tracemalloc.start()
    for _ in range(100):
        opener.update(sealer.update(piece))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000
