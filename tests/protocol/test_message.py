"""The bytes of SignalMessage and PreKeySignalMessage, and what their readers refuse."""

from hypothesis import given
from hypothesis import strategies as st
from pytest import mark, raises

from corefast.errors import MessageMalformed, MessageVersionUnsupported, PeerError
from corefast.limits import MAX_ENVELOPE_BYTES
from corefast.protocol.message import PreKeySignalMessage, SignalMessage, encode_after, encode_before

KEY = b"\x05" + bytes(range(32))
OTHER_KEY = b"\x05" + bytes(range(32, 64))
KEM_CIPHERTEXT = b"\x08" + b"k" * 1568
MAC = b"m" * 8


def varint(value: int) -> bytes:
    head = b""
    while value >= 0x80:
        head += bytes([value & 0x7F | 0x80])
        value >>= 7
    return head + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


SIGNAL_FIELDS = [field(1, KEY), field(2, 300), field(3, 0), field(4, b"c" * 16)]
PREKEY_FIELDS = [
    field(1, 13),
    field(2, KEY),
    field(3, OTHER_KEY),
    field(4, b"inner"),
    field(5, 4711),
    field(6, 11),
    field(7, 12),
    field(8, KEM_CIPHERTEXT),
]


def signal(fields: list[bytes]) -> bytes:
    return b"\x44" + b"".join(fields) + MAC


def prekey(fields: list[bytes]) -> bytes:
    return b"\x44" + b"".join(fields)


# ── SignalMessage ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signal_message_is_read_in_any_order_with_unknown_fields():
    unknown = [field(5, b"spqr"), field(6, b"a" * 36), field(99, 7), b"\xa1\x06" + bytes(8), b"\xa5\x06" + bytes(4)]
    for fields in (SIGNAL_FIELDS, SIGNAL_FIELDS[::-1], unknown + SIGNAL_FIELDS + unknown):
        message = SignalMessage.parse(signal(fields))
        assert (message.version, message.counter, message.previous_counter) == (4, 300, 0)
        assert (message.ratchet_key, message.ciphertext) == (KEY, b"c" * 16)


def test_the_last_of_a_repeated_field_wins_and_a_missing_previous_counter_is_zero():
    message = SignalMessage.parse(signal([field(2, 1), *SIGNAL_FIELDS[:2], SIGNAL_FIELDS[3]]))
    assert (message.counter, message.previous_counter) == (300, 0)


def test_bytes_behind_a_public_key_are_tolerated():
    assert SignalMessage.parse(signal([field(1, KEY + b"x"), *SIGNAL_FIELDS[1:]])).ratchet_key == KEY


@mark.parametrize("missing", [0, 1, 3])
def test_a_signal_message_without_a_required_field_is_malformed(missing):
    with raises(MessageMalformed):
        SignalMessage.parse(signal(SIGNAL_FIELDS[:missing] + SIGNAL_FIELDS[missing + 1 :]))


@mark.parametrize(
    "wrong",
    [
        field(1, 7),
        field(1, KEY[:32]),
        field(1, b"\x06" + KEY[1:]),
        field(1, b""),
        field(2, b"\x01"),
        field(3, b""),
        field(4, 7),
        field(0, 7),
        b"\x0b\x0c",  # a group
        b"\x0f\x00",  # a wire type that does not exist
        b"\x10" + b"\xff" * 10 + b"\x01",  # eleven bytes of varint
        b"\x10" + b"\xff" * 9 + b"\x02",  # 65 bits
        b"\x22\x01",  # one byte of what belongs to the MAC
        b"\x22\xff\xff\xff\xff\x0f",  # a length beyond the end
        b"\x22" + b"\xff" * 9 + b"\x01",  # a length of 2^64 - 1
        b"\xff" * 10 + b"\x01",  # a tag beyond 32 bits
        b"\x80",
        b"\x10",
    ],
)
def test_a_broken_field_is_malformed(wrong):
    with raises(MessageMalformed):
        SignalMessage.parse(signal([*SIGNAL_FIELDS, wrong]))


@mark.parametrize("version", [0, 1, 2, 5, 15])
def test_versions_of_the_past_and_future_are_refused(version):
    for parse in (SignalMessage.parse, PreKeySignalMessage.parse):
        with raises(MessageVersionUnsupported):
            parse(bytes([version << 4 | 4]) + bytes(40))


def test_only_the_high_half_of_the_version_counts():
    assert SignalMessage.parse(b"\x33" + signal(SIGNAL_FIELDS)[1:]).version == 3
    assert SignalMessage.parse(b"\x40" + signal(SIGNAL_FIELDS)[1:]).version == 4


def test_messages_beyond_the_envelope_are_refused_unread():
    too_long = signal([*SIGNAL_FIELDS, field(4, bytes(MAX_ENVELOPE_BYTES))])
    for parse in (SignalMessage.parse, PreKeySignalMessage.parse):
        with raises(MessageMalformed):
            parse(too_long)
        with raises(MessageMalformed):
            parse(b"")


@given(st.binary(max_size=200), st.sampled_from([SignalMessage.parse, PreKeySignalMessage.parse]))
def test_noise_is_read_or_refused_with_a_typed_error(noise, parse):
    for message in (noise, b"\x44" + noise):
        try:
            parse(message)
        except PeerError:
            pass


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused_with_a_typed_error(at, value):
    for whole, parse in (
        (signal(SIGNAL_FIELDS), SignalMessage.parse),
        (prekey(PREKEY_FIELDS), PreKeySignalMessage.parse),
    ):
        broken = bytearray(whole)
        broken[at % len(whole)] = value
        try:
            parse(bytes(broken))
        except PeerError:
            pass


# ── PreKeySignalMessage ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_prekey_message_is_read_in_any_order():
    for fields in (PREKEY_FIELDS, PREKEY_FIELDS[::-1]):
        message = PreKeySignalMessage.parse(prekey(fields))
        assert (message.one_time_id, message.registration_id) == (13, 4711)
        assert (message.signed_id, message.kem_id) == (11, 12)
        assert (message.base_key, message.identity) == (KEY, OTHER_KEY)
        assert (message.message, message.kem_ciphertext) == (b"inner", KEM_CIPHERTEXT)


def test_a_prekey_message_may_lack_a_one_time_prekey_and_a_registration():
    message = PreKeySignalMessage.parse(prekey([*PREKEY_FIELDS[1:4], *PREKEY_FIELDS[5:]]))
    assert (message.one_time_id, message.registration_id) == (None, 0)


@mark.parametrize("missing", [1, 2, 3, 5, 6, 7])
def test_a_prekey_message_without_a_required_field_is_malformed(missing):
    with raises(MessageMalformed):
        PreKeySignalMessage.parse(prekey(PREKEY_FIELDS[:missing] + PREKEY_FIELDS[missing + 1 :]))


def test_a_prekey_message_of_another_kem_is_malformed():
    for ciphertext in (b"\x0a" + KEM_CIPHERTEXT[1:], KEM_CIPHERTEXT[:-1], KEM_CIPHERTEXT + b"x", b""):
        with raises(MessageMalformed):
            PreKeySignalMessage.parse(prekey([*PREKEY_FIELDS[:7], field(8, ciphertext)]))


def test_a_prekey_message_of_x3dh_has_no_kem():
    message = PreKeySignalMessage.parse(b"\x33" + prekey(PREKEY_FIELDS[:6])[1:])
    assert (message.version, message.signed_id, message.kem_id, message.kem_ciphertext) == (3, 11, None, None)
    for missing in (1, 2, 3, 5):
        with raises(MessageMalformed):
            fields = PREKEY_FIELDS[:missing] + PREKEY_FIELDS[missing + 1 : 6]
            PreKeySignalMessage.parse(b"\x33" + prekey(fields)[1:])
    assert encode_after(4711, 11, None, None) == b"".join(PREKEY_FIELDS[4:6])


def test_the_parts_around_a_message_are_written_in_field_order():
    before = encode_before(13, KEY, OTHER_KEY)
    after = encode_after(4711, 11, 12, KEM_CIPHERTEXT)
    assert before == b"".join(PREKEY_FIELDS[:3])
    assert after == b"".join(PREKEY_FIELDS[4:])
    assert encode_before(None, KEY, OTHER_KEY) == b"".join(PREKEY_FIELDS[1:3])
    assert encode_after(0, 0, 0, KEM_CIPHERTEXT)[:6] == b"\x28\x00\x30\x00\x38\x00"
