"""A stream of frames as anybody can send it, and frames from a peer of an open link that keeps no rule."""

from corefast.errors import CorefastError, RemoteRefused
from corefast.link.events import Closed
from corefast.wire.frame import FrameReader, FrameWriter, RecordReader, frame
from corefast.wire.refusal import encode_refusal
from tests.link.pair import Ask, Note, codec
from tests.link.rogue import Rogue

MAX_FRAME = 65_535
STREAM, LINK = range(2)
CLOSE = 8


def seeds() -> list[bytes]:
    note, ask = codec.encode(Note(b"note")), codec.encode(Ask(b"ask"))
    rows = [(1, 0, note), (2, 5, ask), (0x81, 0, note), (1, 0, b"rest"), (3, 1, note), (4, 1, encode_refusal(None))]
    rows += [(5, 0, bytes(3) + b"\x01"), (6, 0, b""), (7, 0, b""), (8, 0, encode_refusal(None))]
    plain = []
    for row in [*rows, rows]:
        writer = FrameWriter()
        for kind, call, payload in [row] if isinstance(row, tuple) else row:
            writer.add(kind, call, payload)
        plain.append(writer.take())
    streams = [bytes([STREAM, cut]) + b"".join(map(frame, plain)) for cut in (1, 3, 200)]
    return streams + [bytes([LINK, 0]) + b"".join(map(frame, plain[:part])) for part in range(1, len(plain) + 1)]


def run(data: bytes) -> None:
    if len(data) < 2:
        return
    (_cut_anywhere if data[0] % 2 == STREAM else _heard_by_a_link)(data[2:], data[1] or 256)


def _cut_anywhere(stream: bytes, step: int) -> None:
    """However a stream is cut, it holds the same frames, or the same error ends it."""
    whole, whole_error = _frames(stream, len(stream) or 1)
    parts, parts_error = _frames(stream, step)
    assert type(whole_error) is type(parts_error)
    assert parts[: len(whole)] == whole and (whole_error or whole == parts)
    assert b"".join(map(frame, parts)) == stream[: sum(len(body) + 3 for body in parts)]
    for body in whole:
        _rebuild(body)


def _frames(stream: bytes, step: int) -> tuple[list[bytes], CorefastError | None]:
    reader = FrameReader(MAX_FRAME)
    frames: list[bytes] = []
    for at in range(0, len(stream), step):
        try:
            frames += reader.receive_data(stream[at : at + step])
        except CorefastError as error:
            return frames, error
    return frames, None


def _rebuild(body: bytes) -> None:
    writer = FrameWriter()
    try:
        for kind, more, call, payload in RecordReader(body):
            writer.add(kind | (0x80 if more else 0), call, payload)
    except CorefastError:
        assert body.startswith(writer.take())
        return
    assert writer.take() == body


def _heard_by_a_link(stream: bytes, _: int) -> None:
    """A link ends with a typed error, which it tells, or goes on; it never raises."""
    rogue, link = Rogue.opened()
    for _ in range(2):
        link.call(Ask(b"ours"), lambda answer: None)
    rogue.hear(link)
    for plaintext in _frames(stream, len(stream) or 1)[0]:
        events = link.receive_data(rogue.seal(plaintext[:65_000]), 0)
        ends = [event for event in events if isinstance(event, Closed)]
        assert ends == events[len(events) - len(ends) :] and link.is_open == (not ends)
        if ends:
            error = ends[0].error
            assert error is None or isinstance(error, CorefastError)
            is_told = [row[0] for row in rogue.hear(link)][-1:] == [CLOSE]
            # Who closed the link itself is not told again.
            assert is_told or error is None or isinstance(error, RemoteRefused)
            return
        link.consume()
