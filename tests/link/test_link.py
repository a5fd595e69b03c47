"""What open links say to each other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corefast.errors import CallTimeout, LinkTimeout, NumberUnknown, Overloaded, RemoteRefused
from corefast.limits import KEEPALIVE_DEADLINE_MS, KEEPALIVE_INTERVAL_MS, MAX_MESSAGE_BYTES, MAX_OPEN_CALLS
from corefast.link.events import Answered, Closed, Received

from .pair import Ask, Note, codec, move, open_links, settle

FRAME_ROOM = 65_535 - 16 - 7
OVERHEAD = len(codec.encode(Note(bytes(FRAME_ROOM)))) - FRAME_ROOM


def received(events):
    assert all(isinstance(event, Received) for event in events)
    return [event.message for event in events]


# ── one-way messages ───────────────────────────────────────────────────────────────────────────────────────────────


def test_many_messages_share_a_frame():
    one, two = open_links()
    for index in range(100):
        one.notify(Note(b"%d" % index))
    (data,) = one.data_to_send()
    events = two.receive_data(data, 0)
    assert received(events) == [Note(b"%d" % index) for index in range(100)]
    assert {event.call for event in events} == {0}


def test_nothing_to_send_is_nothing():
    one, _ = open_links()
    assert not one.has_data
    assert one.data_to_send() == []


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("delta", [-8, -7, -1, 0, 1, 2])
def test_message_passes_at_every_edge_of_a_frame(frames, delta):
    one, two = open_links()
    message = Note(bytes(frames * FRAME_ROOM - OVERHEAD + delta))
    one.notify(Note(b"before"))
    one.notify(message)
    one.notify(Note(b"after"))
    assert received(move(one, two)) == [Note(b"before"), message, Note(b"after")]


def test_message_that_fits_a_frame_is_not_split():
    one, two = open_links()
    one.notify(Note(bytes(60_000)))
    one.notify(Note(bytes(30_000)))
    assert [len(data) > 30_000 for data in one.data_to_send()] == [True, True]


def test_largest_message_passes_and_a_larger_one_is_a_bug():
    one, two = open_links()
    overhead = len(codec.encode(Note(bytes(MAX_MESSAGE_BYTES)))) - MAX_MESSAGE_BYTES
    message = Note(bytes(MAX_MESSAGE_BYTES - overhead))
    one.notify(message)
    assert received(move(one, two)) == [message]
    for send in (one.notify, one.call):
        with pytest.raises(ValueError):
            send(Note(bytes(MAX_MESSAGE_BYTES)))


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([0, 1, 300, 5_000, FRAME_ROOM - 5, 70_000, 140_000]), max_size=12),
    st.lists(st.integers(0, 400_000), max_size=12),
)
def test_messages_come_out_whole_however_the_stream_is_cut(sizes, cuts):
    one, two = open_links()
    messages = [Note(bytes([index]) * size) for index, size in enumerate(sizes)]
    for message in messages:
        one.notify(message)
    stream = b"".join(one.data_to_send())
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    heard = []
    for start, end in zip(edges, edges[1:], strict=False):
        heard += two.receive_data(stream[start:end], 0)
    assert received(heard) == messages


# ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_calls_are_answered_in_any_order():
    one, two = open_links()
    numbers = [one.call(Ask(b"%d" % index), context=index) for index in range(3)]
    asked = move(one, two)
    assert [event.call for event in asked] == numbers
    for event in reversed(asked):
        assert two.has_call(event.call)
        two.answer(event.call, Note(event.message.body))
        assert not two.has_call(event.call)
    assert move(two, one) == [Answered(index, Note(b"%d" % index)) for index in (2, 1, 0)]


def test_both_sides_may_use_the_same_number():
    one, two = open_links()
    assert one.call(Ask(b""), "ours") == two.call(Ask(b""), "theirs")
    for event in settle(one, two)[1]:
        two.answer(event.call, Note(b"x"))
    assert settle(one, two)[0] == [Answered("ours", Note(b"x"))]


def test_failure_carries_the_error():
    one, two = open_links()
    one.call(Ask(b""), "context")
    (asked,) = move(one, two)
    two.fail(asked.call, Overloaded("later", retry_after_ms=5))
    (answered,) = move(two, one)
    assert isinstance(answered.result, RemoteRefused)
    assert (answered.result.code, answered.result.retry_after_ms) == ("overloaded", 5)


def test_large_answers_are_joined():
    one, two = open_links()
    one.call(Ask(b""), "context")
    (asked,) = move(one, two)
    two.answer(asked.call, Note(bytes(500_000)))
    assert move(two, one) == [Answered("context", Note(bytes(500_000)))]


def test_answering_twice_is_a_bug():
    one, two = open_links()
    one.call(Ask(b""))
    (asked,) = move(one, two)
    two.answer(asked.call, Note(b""))
    for again in (lambda: two.answer(asked.call, Note(b"")), lambda: two.fail(asked.call, NumberUnknown())):
        with pytest.raises(ValueError):
            again()


def test_call_without_a_context_is_answered_to_nobody():
    one, two = open_links()
    one.call(Ask(b""))
    (asked,) = move(one, two)
    two.answer(asked.call, Note(b""))
    assert move(two, one) == []


def test_call_expires_once_and_its_late_answer_is_dropped():
    one, two = open_links()
    one.call(Ask(b""), "first", deadline_ms=1_000)
    one.call(Ask(b""), "second", deadline_ms=2_000)
    asked = move(one, two)
    assert one.tick(999) == []
    (expired,) = one.tick(1_000)
    assert expired.context == "first"
    assert isinstance(expired.result, CallTimeout)
    assert one.tick(1_001) == []
    for event in asked:
        two.answer(event.call, Note(b"late"))
    assert move(two, one) == [Answered("second", Note(b"late"))]
    assert one.tick(5_000) == []


def test_open_calls_are_bounded_and_expired_ones_still_count():
    one, two = open_links()
    for _ in range(MAX_OPEN_CALLS):
        one.call(Ask(b""), deadline_ms=1)
    one.tick(2)
    with pytest.raises(Overloaded):
        one.call(Ask(b""))
    asked = move(one, two)
    assert len(asked) == MAX_OPEN_CALLS
    two.answer(asked[0].call, Note(b""))
    settle(one, two)
    one.call(Ask(b""))


def test_open_calls_are_handed_back_at_the_end():
    one, two = open_links()
    one.call(Ask(b""), "first")
    one.call(Ask(b""))
    one.close()
    assert one.take_calls() == ["first"]
    assert one.take_calls() == []


# ── keep-alive and the end ─────────────────────────────────────────────────────────────────────────────────────────


def test_idle_link_is_kept_alive():
    one, two = open_links()
    now = 0
    for _ in range(10):
        now += KEEPALIVE_INTERVAL_MS
        assert one.tick(now) == []
        assert one.has_data
        assert settle(one, two, now) == ([], [])
        assert two.tick(now) == []
        assert not two.has_data


def test_silent_peer_is_given_up_after_three_intervals():
    one, _ = open_links()
    for now in range(0, KEEPALIVE_DEADLINE_MS, 1_000):
        assert one.tick(now) == []
    assert len(one.data_to_send()) == 1
    (closed,) = one.tick(KEEPALIVE_DEADLINE_MS)
    assert isinstance(closed.error, LinkTimeout)


def test_pings_are_rare():
    one, _ = open_links()
    pings = 0
    for now in range(0, KEEPALIVE_DEADLINE_MS, 100):
        one.tick(now)
        pings += len(one.data_to_send())
    assert pings == 2


def test_close_tells_the_code_and_sends_what_was_queued():
    one, two = open_links()
    one.notify(Note(b"last words"))
    one.close(NumberUnknown("nobody"))
    heard, closed = move(one, two)
    assert heard == Received(Note(b"last words"), 0)
    assert closed.error.code == "number.unknown"
    assert two.data_to_send() == []


def test_close_without_an_error_is_no_error():
    one, two = open_links()
    one.close()
    one.close()
    assert move(one, two) == [Closed(None)]
    assert two.receive_data(b"more", 0) == []
    assert two.tick(10**9) == []
