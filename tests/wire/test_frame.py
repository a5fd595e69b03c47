import pytest
from hypothesis import given
from hypothesis import strategies as st

from corefast.errors import CorefastError, FrameMalformed, FrameTooLarge
from corefast.wire.frame import FrameReader, FrameWriter, RecordReader, frame

MAX = 65_535
MAX_PAYLOAD = MAX - 16 - 7


def chunks_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]


# ── frames ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.binary(min_size=1, max_size=600), max_size=8), st.lists(st.integers(0, 10_000), max_size=20))
def test_frames_come_out_whole_however_the_stream_is_cut(bodies, cuts):
    reader = FrameReader(MAX)
    out = [body for chunk in chunks_of(b"".join(map(frame, bodies)), cuts) for body in reader.receive_data(chunk)]
    assert out == bodies
    assert reader.is_empty


def test_frames_come_out_of_single_bytes_and_at_every_cut():
    stream = frame(b"a" * 700) + frame(b"b") + frame(b"c" * 30)
    reader = FrameReader(MAX)
    assert [body for byte in stream for body in reader.receive_data(bytes([byte]))] == [b"a" * 700, b"b", b"c" * 30]
    for cut in range(len(stream) + 1):
        reader = FrameReader(MAX)
        assert reader.receive_data(stream[:cut]) + reader.receive_data(stream[cut:]) == [b"a" * 700, b"b", b"c" * 30]


def test_frame_of_the_largest_size_passes_and_one_byte_more_does_not():
    reader = FrameReader(MAX)
    assert reader.receive_data(frame(bytes(MAX))) == [bytes(MAX)]
    with pytest.raises(FrameTooLarge):
        frame(bytes(MAX + 1))
    with pytest.raises(FrameTooLarge):
        reader.receive_data(b"\x01\x00\x00")


def test_too_large_frame_is_refused_by_its_head_alone():
    reader = FrameReader(100)
    reader.receive_data(b"\x00\x00")
    with pytest.raises(FrameTooLarge):
        reader.receive_data(b"\x65")


def test_largest_frame_can_change_between_frames():
    reader = FrameReader(4)
    reader.receive_data(frame(b"1234"))
    reader.allow(5)
    assert reader.max_frame == 5
    assert reader.receive_data(frame(b"12345")) == [b"12345"]


def test_empty_frame_is_malformed():
    with pytest.raises(FrameMalformed):
        FrameReader(MAX).receive_data(b"\x00\x00\x00")


def test_reader_says_whether_the_stream_may_end_here():
    reader = FrameReader(MAX)
    assert reader.is_empty
    reader.receive_data(frame(b"12345")[:-1])
    assert not reader.is_empty
    reader.receive_data(b"5")
    assert reader.is_empty


# ── records ────────────────────────────────────────────────────────────────────────────────────────────────────────

records = st.tuples(st.integers(1, 8), st.booleans(), st.integers(0, 2**32 - 1), st.binary(max_size=300))


@given(st.lists(records, max_size=20))
def test_records_are_read_back(rows):
    writer = FrameWriter()
    for kind, more, call, payload in rows:
        writer.add(kind | (0x80 if more else 0), call, payload)
    assert writer.size == sum(7 + len(row[3]) for row in rows)
    assert list(RecordReader(writer.take())) == rows
    assert writer.size == 0


def test_record_layout_is_as_documented():
    writer = FrameWriter()
    writer.add(2, 0x01020304, b"body")
    assert writer.take() == bytes.fromhex("02 01020304 0004") + b"body"


def test_record_that_fills_a_frame_passes_and_one_byte_more_does_not():
    writer = FrameWriter()
    writer.add(1, 0, bytes(MAX_PAYLOAD))
    with pytest.raises(FrameTooLarge):
        writer.add(1, 0, b"")
    assert list(RecordReader(writer.take())) == [(1, False, 0, bytes(MAX_PAYLOAD))]
    with pytest.raises(FrameTooLarge):
        writer.add(1, 0, bytes(MAX_PAYLOAD + 1))


def test_cut_records_are_malformed():
    writer = FrameWriter()
    writer.add(2, 7, b"payload")
    whole = writer.take()
    for size in range(1, len(whole)):
        with pytest.raises(FrameMalformed):
            list(RecordReader(whole[:size]))


@pytest.mark.parametrize("kind", [0, 9, 0x7F, 0x80, 0x89])
def test_unknown_kind_is_malformed(kind):
    with pytest.raises(FrameMalformed):
        list(RecordReader(bytes([kind]) + bytes(6)))


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_a_typed_error(data):
    try:
        list(RecordReader(data))
    except CorefastError:
        pass
