"""What a hostile peer may try, with the right keys too: a typed error, unchanged sessions, little memory and time."""

import tracemalloc
from dataclasses import replace
from time import process_time

from msgspec.structs import replace as changed
from pytest import fixture, mark, raises

from corefast.endpoint.cipher import Correspondent
from corefast.errors import (
    BundleInvalid,
    CiphertextInvalid,
    KeyAgreementFailed,
    KeyMalformed,
    MessageGapTooLarge,
    MessageMacInvalid,
    MessageMalformed,
    MessageVersionUnsupported,
    PeerError,
)
from corefast.limits import MAX_ENVELOPE_BYTES, MAX_MESSAGE_GAP
from corefast.protocol.start import initiate

from .attacker import attacker, victim
from .model_wire import block, build_prekey, build_signal, number, write_pq
from .party import RANDOM, Party
from .stored import state_of

PRIME = 2**255 - 19
LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    PRIME - 1,
]
ODDLY_SPELLED = [PRIME, PRIME + 1, PRIME + 9, 2**255 - 1, 2**255, 2**255 + 9, 2**256 - 1]
TWIST = [2, 2**255 - 21]


def point(u: int) -> bytes:
    return b"\x05" + u.to_bytes(32, "little")


@fixture
def them() -> Correspondent:
    """A session that the attacker began and we did not answer."""
    them = Correspondent.new()
    them.decrypt(victim(), 3, attacker().first(), RANDOM)
    return them


def refused(them: Correspondent, kind: int, message: bytes) -> PeerError:
    """Return the typed error of a refusal that changed nothing."""
    before = state_of(them)
    with raises(PeerError) as caught:
        them.decrypt(victim(), kind, message, RANDOM)
    assert state_of(them) == before
    return caught.value


def sealed(body: bytes) -> bytes:
    message = attacker().seal(body)
    assert message is not None
    return message


# ── points ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@mark.parametrize("u", LOW_ORDER)
def test_a_first_message_with_a_point_of_low_order_is_refused(u):
    message = sealed(attacker().body(0, write_pq(1)))
    for error, name in ((KeyMalformed, "base"), (KeyAgreementFailed, "identity")):
        start = replace(attacker().start, **{name: point(u)})
        assert type(refused(Correspondent.new(), 3, build_prekey(4, start, message))) is error


@mark.parametrize("u", [*LOW_ORDER, *(u + PRIME for u in LOW_ORDER[:2]), *(u + 2**255 for u in LOW_ORDER)])
def test_a_ratchet_key_of_low_order_is_refused_in_any_spelling(them, u):
    them.encrypt(b"our turn", RANDOM)
    assert (
        type(refused(them, 2, build_signal(4, point(u), 0, 0, bytes(16), write_pq(2)) + bytes(8))) is KeyAgreementFailed
    )


@mark.parametrize("u", [*ODDLY_SPELLED, *TWIST])
def test_a_base_key_that_is_not_canonical_is_refused(u):
    start = replace(attacker().start, base=point(u))
    message = sealed(attacker().body(0, write_pq(1)))
    assert isinstance(refused(Correspondent.new(), 3, build_prekey(4, start, message)), KeyMalformed)


def test_a_base_key_with_a_point_of_low_order_added_is_refused_although_all_agreements_are_the_same():
    start = attacker().start
    spelled = start.base[:-1] + bytes([start.base[-1] | 0x80])
    message = sealed(attacker().body(0, write_pq(1)))
    assert isinstance(
        refused(Correspondent.new(), 3, build_prekey(4, replace(start, base=spelled), message)), KeyMalformed
    )


@mark.parametrize("u", [*LOW_ORDER, *ODDLY_SPELLED, *TWIST])
@mark.parametrize("name", ["identity", "signed_public", "one_time_public"])
def test_a_bundle_with_an_impossible_point_starts_no_session_with_a_shared_secret_of_zero(name, u):
    alice, bob = Party(), Party()
    bundle = changed(bob.bundle(), **{name: point(u)})
    if name == "signed_public":
        bundle = changed(bundle, signed_signature=bob.identity.sign(bundle.signed_public, RANDOM))
    if name != "identity" and u % 2**255 % PRIME not in LOW_ORDER:
        # X25519 takes any spelling (RFC 7748, 5), and so does libsignal: the owner harms only itself.
        assert initiate(alice.identity, 1, bundle, RANDOM).encrypt(b"x", RANDOM)
        return
    with raises((BundleInvalid, KeyAgreementFailed)):
        initiate(alice.identity, 1, bundle, RANDOM)


# ── whose message ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mac_over_swapped_identities_is_refused(them):
    made = attacker()
    body = made.body(1, write_pq(2))
    made.ours, made.theirs = made.theirs, made.ours
    try:
        message = sealed(body)
    finally:
        made.ours, made.theirs = made.theirs, made.ours
    assert isinstance(refused(them, 2, message), MessageMacInvalid)
    assert them.decrypt(victim(), 2, sealed(body), RANDOM).plaintext == b"hello"


def test_a_first_message_in_the_name_of_somebody_else_or_of_ourselves_is_refused():
    message = sealed(attacker().body(0, write_pq(1)))
    for identity in (victim().identity.public, Party().identity.public):
        start = replace(attacker().start, identity=identity)
        assert isinstance(refused(Correspondent.new(), 3, build_prekey(4, start, message)), MessageMacInvalid)


@mark.parametrize("type_byte", [0x00, 0x05, 0x07, 0x0A, 0xFF])
def test_a_kem_of_another_type_is_refused_in_message_and_bundle(type_byte):
    start = attacker().start
    start = replace(start, kem_ciphertext=bytes([type_byte]) + start.kem_ciphertext[1:])
    message = build_prekey(4, start, sealed(attacker().body(0, write_pq(1))))
    assert isinstance(refused(Correspondent.new(), 3, message), MessageMalformed)
    alice, bob = Party(), Party()
    public = bytes([type_byte]) + bob.kem.public[1:]
    bundle = changed(bob.bundle(), kem_public=public, kem_signature=bob.identity.sign(public, RANDOM))
    with raises(BundleInvalid):
        initiate(alice.identity, 1, bundle, RANDOM)


# ── numbers and empty fields ───────────────────────────────────────────────────────────────────────────────────────


@mark.parametrize("field", [1, 4, 5])
def test_a_zero_length_field_in_a_message_is_refused(them, field):
    values = {1: attacker().ratchet, 4: bytes(16), 5: write_pq(2)} | {field: b""}
    body = b"\x44" + block(1, values[1]) + number(2, 1) + number(3, 0) + block(4, values[4]) + block(5, values[5])
    message = attacker().seal(body) or body + bytes(8)
    expect = {1: MessageMalformed, 4: CiphertextInvalid, 5: MessageVersionUnsupported}
    assert type(refused(them, 2, message)) is expect[field]


@mark.parametrize("field", [2, 3, 4, 8])
def test_a_zero_length_field_in_a_first_message_is_refused(field):
    start = attacker().start
    values = {2: start.base, 3: start.identity, 4: sealed(attacker().body(0, write_pq(1))), 8: start.kem_ciphertext}
    values[field] = b""
    numbers = number(1, 13) + number(5, 5) + number(6, 11) + number(7, 12)
    message = b"\x44" + numbers + b"".join(block(*item) for item in values.items())
    assert isinstance(refused(Correspondent.new(), 3, message), MessageMalformed)


@mark.parametrize("counter", [2**32 - 1, 2**32 - 2, MAX_MESSAGE_GAP + 2])
def test_a_counter_beyond_the_gap_is_refused(them, counter):
    message = attacker().body(1, write_pq(2)).replace(number(2, 1), number(2, counter), 1) + bytes(8)
    assert isinstance(refused(them, 2, message), MessageGapTooLarge)


# ── a right MAC ────────────────────────────────────────────────────────────────────────────────────────────────────


@mark.parametrize("ciphertext", [b"", bytes(1), bytes(15), bytes(16), bytes(17), b"\x01" * 48])
def test_a_right_mac_over_a_body_that_does_not_decrypt_is_refused(them, ciphertext):
    assert isinstance(refused(them, 2, sealed(attacker().body(1, write_pq(2), ciphertext))), CiphertextInvalid)
    assert them.decrypt(victim(), 2, sealed(attacker().body(1, write_pq(2))), RANDOM).plaintext == b"hello"


@mark.parametrize(
    ("field", "error"),
    [
        (b"\x00", MessageVersionUnsupported),
        (b"\x01", MessageMalformed),
        (b"\x01\x01", MessageMalformed),
        (b"\x01\x01\x02", MessageMalformed),
        (b"\x01\x00\x02\x00", MessageVersionUnsupported),
        (b"\x01\x02\x02\x00", MessageVersionUnsupported),
        (b"\x01\x01\x02\x07", MessageMalformed),
        (b"\x01\x01\x02\x01", MessageMalformed),
        (b"\x01\x01\x02\x01\x00" + bytes(31), MessageMalformed),
        (b"\x01" + b"\xff" * 11, MessageMalformed),
        (b"\x01\x01\xff\xff\xff\xff\x0f\x00", MessageMalformed),
        (b"\x01\x01\xfe\xff\xff\xff\x0f\x00", MessageGapTooLarge),
        (b"\x01\x01\x03\x00", MessageMacInvalid),
    ],
)
def test_a_malformed_or_wrong_field_of_spqr_is_refused(them, field, error):
    body = attacker().body(1, write_pq(2))
    assert body.endswith(block(5, write_pq(2)))
    body = body[: -len(block(5, write_pq(2)))] + block(5, field)
    message = body + bytes(8) if error is MessageMacInvalid else attacker().seal(body) or body + bytes(8)
    assert type(refused(them, 2, message)) is error


# ── bounds ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def largest_messages() -> list[tuple[int, bytes]]:
    """Messages of the largest size, made of the smallest things."""
    room = MAX_ENVELOPE_BYTES - 9
    bodies = [
        b"\x08\x00" * (room // 2),
        b"\x22\x00" * (room // 2),
        b"\x80" * room,
        b"\x0a\xff\xff\xff\x7f" + bytes(room - 5),
    ]
    bodies.append(block(1, attacker().ratchet) + number(2, 1) + block(4, bytes(room - 100)) + block(5, write_pq(2)))
    return [(kind, b"\x44" + body + bytes(8)) for kind in (2, 3) for body in bodies]


def test_memory_and_time_of_a_refusal_are_bounded_by_the_message(them):
    for kind, message in largest_messages():
        refused(them, kind, message)
        tracemalloc.start()
        started = process_time()
        with raises(PeerError):
            them.decrypt(victim(), kind, message, RANDOM)
        spent, (_, peak) = process_time() - started, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * len(message) and spent < 0.5


def test_the_longest_jump_that_a_forged_message_asks_for_is_short(them):
    body = attacker().body(1, write_pq(2)).replace(number(2, 1), number(2, MAX_MESSAGE_GAP), 1)
    message = body.replace(write_pq(2), write_pq(MAX_MESSAGE_GAP)) + bytes(8)
    started = process_time()
    assert isinstance(refused(them, 2, message), (MessageMacInvalid, MessageMalformed))
    assert process_time() - started < 2
