"""The published vectors, and what must not pass."""

from pathlib import Path

import pytest

from corefast.errors import CiphertextInvalid, HandshakeFailed, NonceExhausted
from corefast.native.curve import public_from_private
from corefast.protocol.noise.cipher import CipherState
from corefast.protocol.noise.handshake import HandshakeState, KeyPair
from corefast.protocol.noise.patterns import IK, NN_PSK0

VECTORS = Path(__file__).parent.parent / "vectors" / "noise" / "vectors.txt"


def read_vectors() -> list[dict[str, str]]:
    blocks = VECTORS.read_text().strip().split("\n\n")
    return [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]


def states_of(vector: dict[str, str]) -> tuple[HandshakeState, HandshakeState]:
    hexed = {name: bytes.fromhex(value) for name, value in vector.items() if name != "handshake"}
    pattern = IK if "_IK_" in vector["handshake"] else NN_PSK0
    psk, prologue = hexed.get("preshared_key"), hexed.get("prologue", b"")
    responder_public = public_from_private(hexed["resp_static"]) if pattern is IK else None
    ours = HandshakeState(
        pattern,
        True,
        prologue,
        random=lambda size: hexed["gen_init_ephemeral"],
        s=KeyPair.from_private(hexed["init_static"]) if pattern is IK else None,
        rs=responder_public,
        psk=psk,
    )
    theirs = HandshakeState(
        pattern,
        False,
        prologue,
        random=lambda size: hexed["gen_resp_ephemeral"],
        s=KeyPair.from_private(hexed["resp_static"]) if pattern is IK else None,
        psk=psk,
    )
    return ours, theirs


@pytest.mark.parametrize("vector", read_vectors(), ids=lambda vector: vector["handshake"])
def test_published_vector_is_reproduced_by_both_sides(vector):
    initiator, responder = states_of(vector)
    for index in range(2):
        payload, wire = (bytes.fromhex(vector[f"msg_{index}_{part}"]) for part in ("payload", "ciphertext"))
        writer, reader = (initiator, responder) if index == 0 else (responder, initiator)
        assert writer.write_message(payload) == wire
        assert reader.read_message(wire) == payload
    assert initiator.handshake_hash == responder.handshake_hash
    ours, theirs = initiator.split(), responder.split()
    for index in range(2, 4):
        payload, wire = (bytes.fromhex(vector[f"msg_{index}_{part}"]) for part in ("payload", "ciphertext"))
        assert ours[index % 2].encrypt_with_ad(b"", payload) == wire
        assert theirs[index % 2].decrypt_with_ad(b"", wire) == payload


def test_vectors_cover_both_patterns_with_and_without_a_prologue():
    names = [(vector["handshake"], "prologue" in vector) for vector in read_vectors()]
    assert set(names) == {
        (f"Noise_{pattern}_25519_AESGCM_SHA256", has_prologue)
        for pattern in ("IK", "NNpsk0")
        for has_prologue in (False, True)
    }


def test_every_changed_byte_of_either_message_fails():
    for vector in read_vectors()[:2]:
        first, second = bytes.fromhex(vector["msg_0_ciphertext"]), bytes.fromhex(vector["msg_1_ciphertext"])
        for index in range(len(first)):
            with pytest.raises(HandshakeFailed):
                states_of(vector)[1].read_message(first[:index] + bytes([first[index] ^ 1]) + first[index + 1 :])
        for index in range(len(second)):
            initiator, _ = states_of(vector)
            initiator.write_message(b"")
            with pytest.raises(HandshakeFailed):
                initiator.read_message(second[:index] + bytes([second[index] ^ 1]) + second[index + 1 :])


def test_every_truncation_fails():
    for vector in read_vectors()[:2]:
        first = bytes.fromhex(vector["msg_0_ciphertext"])
        for size in range(len(first)):
            with pytest.raises(HandshakeFailed):
                states_of(vector)[1].read_message(first[:size])


def test_low_order_ephemeral_is_refused():
    _, responder = states_of(read_vectors()[0])
    with pytest.raises(HandshakeFailed):
        responder.read_message(bytes(32) + bytes(64))


def test_other_prologue_fails():
    secret = bytes(range(32))
    ours = HandshakeState(NN_PSK0, True, b"1", random=lambda size: bytes([7] * size), psk=secret)
    theirs = HandshakeState(NN_PSK0, False, b"2", random=lambda size: bytes([9] * size), psk=secret)
    with pytest.raises(HandshakeFailed):
        theirs.read_message(ours.write_message(b""))


def test_message_out_of_turn_is_a_bug():
    initiator, responder = states_of(read_vectors()[0])
    with pytest.raises(RuntimeError):
        initiator.read_message(b"")
    with pytest.raises(RuntimeError):
        responder.write_message(b"")
    with pytest.raises(RuntimeError):
        initiator.split()


def test_missing_key_is_a_bug():
    with pytest.raises(ValueError):
        HandshakeState(IK, True, b"", random=bytes)
    with pytest.raises(ValueError):
        HandshakeState(IK, False, b"", random=bytes)


def test_key_pair_does_not_show_itself():
    pair = KeyPair.from_private(bytes([1] * 32))
    assert "1" not in repr(pair)


# ── CipherState ────────────────────────────────────────────────────────────────────────────────────────────────────


def cipher() -> CipherState:
    state = CipherState()
    state.initialize_key(bytes(32))
    return state


def test_cipher_without_a_key_hands_bytes_through():
    state = CipherState()
    assert not state.has_key()
    assert state.encrypt_with_ad(b"ad", b"text") == b"text"
    assert state.decrypt_with_ad(b"ad", b"text") == b"text"


def test_failed_decryption_leaves_the_nonce():
    ours, theirs = cipher(), cipher()
    sealed = ours.encrypt_with_ad(b"ad", b"text")
    for broken in (sealed[:-1], b"", bytes(20), sealed + b"x"):
        with pytest.raises(CiphertextInvalid):
            theirs.decrypt_with_ad(b"ad", broken)
    with pytest.raises(CiphertextInvalid):
        theirs.decrypt_with_ad(b"other", sealed)
    assert theirs.decrypt_with_ad(b"ad", sealed) == b"text"
    with pytest.raises(CiphertextInvalid):
        theirs.decrypt_with_ad(b"ad", sealed)


def test_last_nonce_is_never_used():
    state = cipher()
    state.set_nonce(2**64 - 2)
    state.encrypt_with_ad(b"", b"last")
    with pytest.raises(NonceExhausted):
        state.encrypt_with_ad(b"", b"one too many")
