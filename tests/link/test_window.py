"""Credit: who sends more than was granted waits, or is cut."""

from hypothesis import given, settings
from hypothesis import strategies as st

from corefast.errors import CreditExceeded
from corefast.limits import LINK_WINDOW_BYTES, MAX_MESSAGE_BYTES

from .pair import Ask, Note, codec, move, open_links
from .rogue import Rogue

BODY = 500_000
COST = len(codec.encode(Note(bytes(BODY)))) + 64
FITTING = LINK_WINDOW_BYTES // COST


def test_messages_beyond_the_window_wait_for_the_consumer():
    one, two = open_links()
    for _ in range(FITTING + 3):
        one.notify(Note(bytes(BODY)))
    assert len(move(one, two)) == FITTING
    assert one.outbox_bytes == 3 * COST
    assert move(two, one) == []
    assert move(one, two) == []
    two.consume()
    move(two, one)
    assert len(move(one, two)) == 3
    assert one.outbox_bytes == 0


def test_small_messages_do_not_overtake_those_that_wait():
    one, two = open_links()
    for _ in range(FITTING + 1):
        one.notify(Note(bytes(BODY)))
    one.notify(Note(b"small"))
    assert len(move(one, two)) == FITTING
    two.consume()
    move(two, one)
    assert move(one, two)[-1].message == Note(b"small")


def test_calls_hold_their_credit_until_they_are_answered():
    one, two = open_links()
    for index in range(FITTING + 1):
        one.call(Ask(bytes(BODY)), index)
    asked = move(one, two)
    assert len(asked) == FITTING
    two.consume()
    assert move(two, one) == []
    for event in asked:
        two.answer(event.call, Note(b""))
    assert len(move(two, one)) == FITTING
    assert len(move(one, two)) == 1


def test_answers_need_no_credit():
    one, two = open_links()
    for index in range(20):
        one.call(Ask(b""), index)
    for _ in range(FITTING + 5):
        two.notify(Note(bytes(BODY)))
    for event in move(one, two):
        two.answer(event.call, Note(bytes(BODY)))
    answered = [event for event in move(two, one) if hasattr(event, "context")]
    assert len(answered) == 20


def test_empty_messages_cost_something():
    one, two = open_links()
    count = LINK_WINDOW_BYTES // 64
    for _ in range(count):
        one.notify(Note(b""))
    assert len(move(one, two)) < count


def test_outbox_that_grows_too_far_is_noticed():
    one, _ = open_links(max_outbox_bytes=LINK_WINDOW_BYTES + 4 * COST)
    for _ in range(FITTING + 4):
        one.notify(Note(bytes(BODY)))
    assert not one.is_overflowing
    one.notify(Note(bytes(BODY)))
    assert one.is_overflowing


def test_grants_are_rare():
    one, two = open_links()
    grants = 0
    for _ in range(1_000):
        one.notify(Note(bytes(1_000)))
        move(one, two)
        two.consume()
        grants += two.has_data
        move(two, one)
    assert grants == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0, 100, 60_000, 900_000])), max_size=40))
def test_everything_arrives_once_whatever_waits(plan):
    one, two = open_links()
    for index, (is_call, size) in enumerate(plan):
        message = Ask(b"%d " % index + bytes(size))
        if is_call:
            one.call(message, index)
        else:
            one.notify(message)
    heard = []
    answered = []
    while one.has_data or two.has_data:
        for event in move(one, two):
            heard.append(int(event.message.body.split(b" ")[0]))
            if event.call:
                two.answer(event.call, Note(b""))
        two.consume()
        answered += [event.context for event in move(two, one)]
    assert heard == list(range(len(plan)))
    assert answered == [index for index, (is_call, _) in enumerate(plan) if is_call]
    assert one.outbox_bytes == 0


def test_who_ignores_the_window_is_cut():
    rogue, link = Rogue.opened()
    body = codec.encode(Note(bytes(60_000)))
    heard = []
    for _ in range(LINK_WINDOW_BYTES // len(body) + 1):
        heard = rogue.say(link, (1, 0, body))
    assert isinstance(heard[-1].error, CreditExceeded)
    assert not link.is_open


def test_a_smaller_window_is_kept_by_the_other_side():
    one, two = open_links(window_bytes=2 * MAX_MESSAGE_BYTES)
    for _ in range(FITTING):
        one.notify(Note(bytes(BODY)))
    assert len(move(one, two)) == 2 * MAX_MESSAGE_BYTES // COST
