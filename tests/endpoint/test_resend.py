"""The rules by which both ends ask for messages and answer such requests."""

import pytest

from corefast.endpoint.resend import (
    HOUR_MS,
    MAX_SERIAL,
    Ask,
    Book,
    Budget,
    Draft,
    Outcome,
    Sent,
    awaited_ids,
    derive_resend_id,
    identity_mark,
    is_curable,
    refusal,
    resend_from,
    retry_ms,
)
from corefast.errors import (
    ContentMalformed,
    IdentityChanged,
    MessageMacInvalid,
    MessageReplayed,
    PreKeyUnknown,
    SessionMissing,
)
from corefast.limits import MAX_OPEN_ASKS, MAX_RESEND_ANSWERS, MAX_RESEND_IDS, MAX_RESENDS, RESEND_REQUESTS

NOW_MS = 1_800_000_000_000
LIFE_MS = 24 * HOUR_MS
ALICE, EVE = b"\x05" + b"a" * 32, b"\x05" + b"e" * 32


def ask(number: int = 0, peer: str = "bob", identity: bytes = ALICE) -> Ask:
    return Ask(peer, 1, number.to_bytes(16, "big"), number, identity_mark(identity), NOW_MS)


def test_only_what_another_copy_could_cure_is_asked_for():
    assert all(map(is_curable, (SessionMissing(""), PreKeyUnknown(""), MessageMacInvalid(""), MessageReplayed(1))))
    assert not any(map(is_curable, (ContentMalformed(""), IdentityChanged(""), ValueError())))


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, None),
        ({"identity": identity_mark(EVE)}, Outcome.IDENTITY),
        ({"identity": None}, Outcome.IDENTITY),
        ({"at_ms": NOW_MS - LIFE_MS}, Outcome.AGE),
        ({"at_ms": NOW_MS - LIFE_MS + 1}, None),
        ({"at_ms": NOW_MS + LIFE_MS + 1}, Outcome.AGE),
        ({"is_done": True}, Outcome.DONE),
        ({"times": MAX_RESENDS}, None),
        ({"times": MAX_RESENDS + 1}, Outcome.LIMIT),
        ({"serial": MAX_SERIAL}, None),
        ({"serial": MAX_SERIAL + 1}, Outcome.LIMIT),
    ],
)
def test_a_resend_has_its_conditions(change, outcome):
    facts = {"identity": identity_mark(ALICE), "at_ms": NOW_MS, "is_done": False, "times": 1, "serial": 1} | change
    assert refusal(Sent(**facts), ALICE, NOW_MS, LIFE_MS) is outcome


def test_nothing_is_resent_to_nobody_or_from_nothing():
    sent = Sent(identity_mark(ALICE), NOW_MS, False, 1, 1)
    assert refusal(None, ALICE, NOW_MS, LIFE_MS) is Outcome.UNKNOWN
    assert refusal(sent, None, NOW_MS, LIFE_MS) is Outcome.IDENTITY
    assert refusal(sent, ALICE, NOW_MS, 0) is Outcome.AGE


def test_requests_of_an_hour_are_few_and_ever_later():
    budget, now_ms, waits = Budget(), NOW_MS, []
    while now_ms < NOW_MS + HOUR_MS:
        waits.append(budget.wait_ms(now_ms))
        now_ms += waits[-1]
        budget = budget.spend(now_ms, has_new_session=budget.wants_session(now_ms))
    assert waits[:5] == [0, 1_000, 2_000, 4_000, 8_000]
    assert len(waits) == RESEND_REQUESTS + 1, "the last one begins the next hour"


def test_one_session_an_hour_and_a_clock_that_jumps_back_does_not_end_it_all():
    budget = Budget().spend(NOW_MS, has_new_session=True)
    assert not budget.wants_session(NOW_MS + HOUR_MS - 1) and budget.wants_session(NOW_MS + HOUR_MS)
    assert budget.wants_session(NOW_MS - 1) and budget.wait_ms(NOW_MS - 1) == 0


def test_an_answer_fits_one_open_ask_of_its_peer_under_its_identity():
    book, wanted = Book(LIFE_MS), ask(7)
    book.add(wanted)
    assert book.find("bob", wanted.id, ALICE) is wanted
    assert book.find("bob", wanted.id, EVE) is None and book.find("eve", wanted.id, ALICE) is None
    for serial in range(1, MAX_SERIAL + 1):
        assert book.awaited("bob", derive_resend_id(wanted.id, serial)) is wanted
    book.remove(wanted)
    book.remove(wanted)
    assert book.find("bob", wanted.id, ALICE) is None and book.busy() == set() and len(book) == 0
    assert book.awaited("bob", derive_resend_id(wanted.id, 1)) is None


def test_open_asks_are_bounded_for_a_peer_and_in_all():
    book = Book(LIFE_MS)
    for number in range(MAX_RESEND_IDS):
        assert book.may_ask("bob", 0)
        book.add(ask(number))
    assert not book.may_ask("bob", 0) and book.may_ask("eve", 0) and not book.may_ask("eve", MAX_RESEND_IDS)
    for number in range(MAX_OPEN_ASKS - MAX_RESEND_IDS):
        book.add(ask(number, f"{number}"))
    assert not book.may_ask("eve", 0)
    assert not Book(0).may_ask("bob", 0)


def test_due_asks_come_in_order_and_old_ones_are_given_up():
    book = Book(LIFE_MS)
    for number in (3, 1, 2):
        book.add(ask(number))
    book.due("bob")[0].is_due = False
    assert [each.row for each in book.due("bob")] == [2, 3]
    assert book.old(NOW_MS + LIFE_MS) == [] and len(book.old(NOW_MS + LIFE_MS + 1)) == 3


def test_requests_of_a_peer_are_looked_at_so_often_an_hour():
    book = Book(LIFE_MS)
    for _ in range(MAX_RESEND_ANSWERS):
        assert book.take_request("bob", [bytes(16), bytes(16), b"short"], NOW_MS) == ([bytes(16)], None)
    assert book.take_request("bob", [bytes(16)], NOW_MS) == ([], Outcome.RATE)
    assert book.take_request("eve", [], NOW_MS) == ([], None)
    assert book.take_request("bob", [], NOW_MS + HOUR_MS) == ([], None)
    assert Book(0).take_request("bob", [], NOW_MS) == ([], Outcome.OFF)


def test_a_draft_is_in_the_book_after_its_commit_only():
    book = Book(LIFE_MS)
    draft, one = Draft(book), ask()
    one.is_due = False
    draft.add(one)
    draft.add_again(one)
    draft.add_debtor("carol")
    [awaited, *_] = awaited_ids(one.id)
    assert (draft.awaited("bob", awaited), book.awaited("bob", awaited)) == (one, None)
    assert draft.peers == {"bob", "carol"} and not book.busy()
    draft.done()
    assert book.has(one) and book.busy() == {"bob", "carol"}


def test_what_a_draft_answered_is_open_again_where_its_commit_failed():
    book = Book(LIFE_MS)
    one = ask()
    book.add(one)
    draft = Draft(book)
    assert draft.take("bob", one.id, EVE) is None and book.has(one)
    assert (draft.take("bob", one.id, ALICE), draft.take("bob", one.id, ALICE)) == (one, None)
    draft.undo()
    assert book.find("bob", one.id, ALICE) is one


def test_a_draft_counts_what_it_has_added_itself():
    draft = Draft(Book(LIFE_MS))
    for number in range(MAX_RESEND_IDS):
        assert draft.may_ask("bob")
        draft.add(ask(number))
    assert not draft.may_ask("bob") and draft.may_ask("carol")


def test_retries_grow_from_a_second_to_five_minutes():
    waits = [retry_ms(failures) for failures in (1, 2, 3, 9, 10, 10_000)]
    assert waits == [1_000, 2_000, 4_000, 256_000, 300_000, 300_000]


@pytest.mark.parametrize("stored", [None, b"", b"\xc1", bytes(40)])
def test_nothing_is_resent_of_a_content_that_is_lost_or_damaged(stored: bytes | None):
    sent = Sent(identity_mark(ALICE), 0, is_done=False, times=1, serial=1)
    assert resend_from(stored, sent, bytes(16)) is None
