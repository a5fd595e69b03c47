"""The token and the commit number, without a relay."""

import pytest

from corefast.errors import AttachSuperseded
from corefast.relay.attachment import Attachments, places_of
from corefast.wire.messages import Attach

OLD, NEW, OTHER = (bytes([number]) * 16 for number in range(3))


def test_retry_after_a_lost_answer_is_agreed_to():
    attachments = Attachments([(1, 0, OLD, 5)])
    wish = Attach([0], OLD, NEW, 5)
    attachments.move(1, wish)
    attachments.move(1, wish)
    attachments.recheck(1, wish)


def test_all_shards_move_or_none():
    attachments = Attachments([(1, 0, OLD, 5), (1, 1, OTHER, 5)])
    with pytest.raises(AttachSuperseded):
        attachments.move(1, Attach([0, 1], OLD, NEW, 5))
    attachments.move(1, Attach([0], OLD, NEW, 5))


def test_only_what_changed_is_written_and_again_after_a_failure():
    attachments = Attachments([(1, 0, OLD, 5)])
    attachments.saw(1, [0], 4)
    assert not attachments.is_changed
    attachments.saw(1, [0], 9)
    [(_, params, _)] = attachments.take_changes()
    assert params == (1, 0, OLD, 9)
    attachments.saw(1, [0], 12)
    [(_, params, _)] = attachments.take_changes()  # the first transaction has failed
    assert params == (1, 0, OLD, 12) and attachments.is_changed
    attachments.committed()
    assert not attachments.is_changed and attachments.take_changes() == []


def test_absurd_commit_number_is_ignored():
    attachments = Attachments([(1, 0, OLD, 5)])
    attachments.saw(1, [0], 2**63)
    assert not attachments.is_changed


def test_phone_that_has_a_token_attaches_by_it_alone():
    attachments = Attachments([])
    attachments.move(1, Attach())
    attachments.move(1, Attach([], b"", OLD, 5))
    attachments.move(1, Attach([], OLD, NEW, 5))
    for wish in (Attach(), Attach([], OLD, OTHER, 9), Attach([], NEW, OTHER, 4), Attach([0], NEW, OTHER, 9)):
        with pytest.raises(AttachSuperseded):
            attachments.move(1, wish)
    attachments.saw(1, places_of(Attach([], OLD, NEW)), 6)
    with pytest.raises(AttachSuperseded):
        attachments.move(1, Attach([], NEW, OTHER, 5))
    attachments.move(1, Attach([], b"", OTHER, 5, force=True))
    attachments.recheck(1, Attach([], b"", OTHER, 5))
    assert not attachments.is_core(1)
    with pytest.raises(AttachSuperseded):
        attachments.recheck(1, Attach([], OLD, NEW))


def test_token_of_a_phone_opens_no_place_of_a_core():
    attachments = Attachments([(1, 0, OLD, 5)])
    assert attachments.is_core(1)
    for wish in (Attach(), Attach([], OLD, NEW, 5), Attach([], b"", NEW, 5, force=True)):
        with pytest.raises(AttachSuperseded):
            attachments.move(1, wish)
