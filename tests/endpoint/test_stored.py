"""The life of sessions through a store: each end goes on from its rows after every step."""

import json
import time
from pathlib import Path
from typing import Any

from pytest import raises

from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.selection import PartKind
from corefast.endpoint.vault import SEAL_OVERHEAD
from corefast.errors import MessageMacInvalid, MessageReplayed, PeerError, SnapshotInvalid
from corefast.limits import MAX_ARCHIVED_BYTES, MAX_ARCHIVED_SESSIONS, MAX_MESSAGE_GAP, MAX_SKIPPED_KEYS
from corefast.wire.messages import Kind
from tests.endpoint.pair import End, talking_pair

RECORD = Path(__file__).parent.parent / "vectors" / "session" / "record_1.json"

Message = tuple[int, bytes]


class StoredEnd(End):
    """An end that restarts after whatever it did, done or refused."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ("start", "encrypt", "open"):
            return found

        def restarted(*arguments: Any, **options: Any) -> Any:
            try:
                return found(*arguments, **options)
            finally:
                self.restart()

        return restarted


def pair() -> tuple[StoredEnd, StoredEnd]:
    alice, bob = StoredEnd(), StoredEnd()
    alice.start(bob)
    assert bob.decrypt(alice.encrypt(b"hello")) == b"hello"
    assert alice.decrypt(bob.encrypt(b"hi")) == b"hi"
    return alice, bob


def refused(end: End, message: Message, error: type[PeerError] = PeerError) -> None:
    before = end.state()
    with raises(error):
        end.decrypt(message)
    assert end.state() == before


def test_messages_out_of_order_lost_doubled_and_late_are_read_once_each():
    alice, bob = pair()
    messages = [alice.encrypt(b"%d" % n) for n in range(100)]
    for n in (99, 0, 50, 49, 98, 1):
        assert bob.decrypt(messages[n]) == b"%d" % n
        refused(bob, messages[n], MessageReplayed)
    for turn in range(3):
        assert alice.decrypt(bob.encrypt(b"turn")) == b"turn"
        assert bob.decrypt(alice.encrypt(b"on")) == b"on"
        assert bob.decrypt(messages[10 + turn]) == b"%d" % (10 + turn)
        refused(bob, messages[10 + turn], MessageReplayed)


def test_a_jump_to_the_limit_keeps_the_newest_keys():
    alice, bob = pair()
    messages = [End.encrypt(alice, b"%d" % n) for n in range(MAX_MESSAGE_GAP + 2)]
    refused(bob, messages[-1])
    assert bob.decrypt(messages[MAX_MESSAGE_GAP]) == b"%d" % MAX_MESSAGE_GAP
    oldest = MAX_MESSAGE_GAP - MAX_SKIPPED_KEYS
    refused(bob, messages[oldest - 1], MessageReplayed)
    for n in (oldest, MAX_MESSAGE_GAP - 1):
        assert bob.decrypt(messages[n]) == b"%d" % n


def test_two_sides_that_start_at_the_same_moment_meet_in_one_session():
    alice, bob = StoredEnd(), StoredEnd()
    alice.start(bob)
    bob.start(alice)
    from_alice, from_bob = ([end.encrypt(b"%d" % n) for n in range(2)] for end in (alice, bob))
    for n in range(2):
        assert bob.decrypt(from_alice[n]) == b"%d" % n
        assert alice.decrypt(from_bob[n]) == b"%d" % n
    for _ in range(3):
        assert bob.decrypt(alice.encrypt(b"a")) == b"a"
        assert alice.decrypt(bob.encrypt(b"b")) == b"b"
    assert alice.them._sessions.current.base_key == bob.them._sessions.current.base_key
    assert [end.them._sessions.archived_count for end in (alice, bob)] == [1, 1]


def test_repeated_prekey_messages_reuse_their_session_even_an_archived_one():
    alice, bob = StoredEnd(), StoredEnd()
    alice.start(bob)
    messages = [alice.encrypt(b"%d" % n) for n in range(4)]
    assert bob.decrypt(messages[2]) == b"2"
    assert bob.decrypt(messages[0]) == b"0"
    refused(bob, messages[0], MessageReplayed)
    alice.start(bob)
    assert bob.decrypt(alice.encrypt(b"new")) == b"new"
    assert bob.decrypt(messages[1]) == b"1"
    refused(bob, messages[1], MessageReplayed)
    assert bob.decrypt(messages[3]) == b"3"
    assert bob.them._sessions.archived_count == 1


def test_an_archived_session_returns_with_its_skipped_keys():
    alice, bob = pair()
    late = [alice.encrypt(b"%d" % n) for n in range(40)]
    assert bob.decrypt(alice.encrypt(b"ahead")) == b"ahead"
    alice.start(bob)
    skipped = alice.encrypt(b"skipped")
    assert bob.decrypt(alice.encrypt(b"new")) == b"new"
    for n in (3, 39):
        # Each turns to the one session, then to the other.
        assert bob.decrypt(late[n]) == b"%d" % n
        refused(bob, late[n], MessageReplayed)
        assert bob.decrypt(alice.encrypt(b"and on")) == b"and on"
    assert bob.decrypt(skipped) == b"skipped"
    kinds = [kind for kind, _ in bob.parts]
    assert kinds.count(PartKind.ARCHIVED) == 1 and kinds.count(PartKind.SKIPPED) == 0


def test_forty_sessions_are_archived_and_each_of_them_can_return():
    alice, bob = pair()
    ends = []
    for _ in range(MAX_ARCHIVED_SESSIONS + 2):
        late = alice.encrypt(b"late")
        ends.append(late)
        alice.start(bob, with_one_time=False)
        assert bob.decrypt(alice.encrypt(b"new")) == b"new"
        assert alice.decrypt(bob.encrypt(b"answer")) == b"answer"
    assert bob.them._sessions.archived_count == MAX_ARCHIVED_SESSIONS == len(bob.parts)
    assert len(bob.record) + SEAL_OVERHEAD <= 700
    for late in ends[:2]:
        refused(bob, late, MessageMacInvalid)
    for late in ends[2:]:
        assert bob.decrypt(late) == b"late"
        assert bob.them._sessions.archived_count == MAX_ARCHIVED_SESSIONS
    assert alice.decrypt(bob.encrypt(b"answer")) == b"answer"


def test_archived_sessions_keep_to_their_bytes_and_the_newest_stay():
    alice, bob = talking_pair()
    for _ in range(8):
        messages = [alice.encrypt(b"x") for _ in range(MAX_SKIPPED_KEYS + 1)]
        bob.decrypt(messages[-1])
        alice.start(bob, with_one_time=False)
        bob.decrypt(alice.encrypt(b"new"))
        bob.restart()
    archived = [len(content) for (kind, _), content in bob.parts.items() if kind == PartKind.ARCHIVED]
    assert len(archived) == 3 and sum(archived) <= MAX_ARCHIVED_BYTES
    assert bob.decrypt(messages[0]) == b"x"


def test_sending_and_reading_in_order_write_one_small_row():
    alice, bob = talking_pair()
    for end in (alice, bob):
        end.save()
    for _ in range(12):
        message = alice.encrypt(b"x")
        bob.decrypt(message)
        alice.decrypt(bob.encrypt(b"turn"))
        for end in (alice, bob):
            end.save()
            assert len(end.writes) == 1 and end.writes[0] + SEAL_OVERHEAD <= 700


def test_a_new_identity_leaves_no_part_of_the_old_sessions():
    alice, bob = pair()
    alice.encrypt(b"lost")
    bob.decrypt(alice.encrypt(b"ahead"))
    alice.start(bob)
    alice.encrypt(b"lost")
    alice.encrypt(b"lost")
    bob.decrypt(alice.encrypt(b"new"))
    assert {kind for kind, _ in bob.parts} == {PartKind.ARCHIVED, PartKind.SKIPPED}
    other = End()
    other.start(bob)
    bob.decrypt(other.encrypt(b"me again"))
    assert bob.parts == {}


def test_a_new_correspondent_deletes_what_is_stored_under_its_name():
    alice, bob = pair()
    alice.encrypt(b"lost")
    bob.decrypt(alice.encrypt(b"ahead"))
    assert bob.parts
    bob.them = Correspondent.new()
    bob.save()
    assert bob.parts == {}


def test_a_resting_session_goes_on_and_tells_only_what_changes_then():
    alice, bob = talking_pair()
    late = [alice.encrypt(b"%d" % n) for n in range(3)]
    bob.decrypt(alice.encrypt(b"ahead"))
    before = bob.state()
    bob.them.rest()  # not stored yet: it stays awake
    bob.save()
    parts = dict(bob.parts)
    bob.them.rest()
    assert bob.state() == before
    bob.them.rest()
    bob.save()
    assert len(bob.writes) == 1 and bob.parts == parts
    bob.them.rest()
    assert bob.decrypt(late[1]) == b"1"
    bob.save()
    assert len(bob.writes) == 3
    bob.them.rest()
    refused(bob, late[1], MessageReplayed)
    assert alice.decrypt(bob.encrypt(b"answer")) == b"answer"
    bob.restart()
    assert bob.decrypt(late[0]) == b"0"


def test_a_record_that_holds_everything_is_opened_and_written_in_parts():
    recorded = json.loads(RECORD.read_text())
    bob = End()
    bob.record = bytes.fromhex(recorded["record"])
    bob.load()
    for kind, body, text in recorded["messages"]:
        assert bob.decrypt((kind, bytes.fromhex(body))) == text.encode()
        bob.restart()
        with raises(MessageReplayed):
            bob.decrypt((kind, bytes.fromhex(body)))
    assert bob.record[0] == 2 and bob.them._sessions.archived_count == 2
    bob.encrypt(b"on")


def test_every_cut_of_a_record_that_holds_everything_is_refused():
    record = bytes.fromhex(json.loads(RECORD.read_text())["record"])
    whole = []
    for size in range(len(record)):
        try:
            whole.append(Correspondent.restore(record[:size]))
        except SnapshotInvalid:
            continue
    # Cuts between two sessions leave shorter but whole records.
    assert [each._sessions.archived_count for each in whole] == [0, 1]


def test_parts_that_fit_nothing_are_left_out():
    alice, bob = talking_pair()
    alice.encrypt(b"lost")
    bob.decrypt(alice.encrypt(b"ahead"))
    bob.save()
    record = bob.record
    eve = End()
    eve.start(bob)
    bob.decrypt(eve.encrypt(b"hello"))
    eve.encrypt(b"lost")
    bob.decrypt(eve.encrypt(b"ahead"))
    bob.save()
    bob.parts |= {
        (PartKind.SKIPPED, 1): b"",
        (PartKind.SKIPPED, 2): b"\0" * 50,
        (PartKind.ARCHIVED, 1): b"\3",
        (9, 9): b"",
    }
    bob.record = record
    bob.load()
    refused(bob, (Kind.WHISPER, b"\x44" + bytes(80)))
    assert bob.decrypt(alice.encrypt(b"on")) == b"on"
    bob.save()
    assert [number for kind, number in bob.parts if kind == PartKind.SKIPPED] == []


def test_a_forged_jump_costs_two_jumps_however_many_sessions_are_archived():
    """The current session steps up to its limit, and all archived ones together once more."""

    def cost(bob: End, message: Message) -> float:
        def once() -> float:
            begin = time.process_time()
            with raises(MessageMacInvalid):
                bob.decrypt(message)
            return time.process_time() - begin

        return min(once() for _ in range(3))

    alice, bob = talking_pair()
    for _ in range(20):
        alice.start(bob, with_one_time=False)
        bob.decrypt(alice.encrypt(b"new"))
        alice.decrypt(bob.encrypt(b"answer"))
    kind, body = [alice.encrypt(b"x") for _ in range(20_000)][-1]
    far = kind, body[:-1] + bytes([body[-1] ^ 1])
    few = End()
    few.own = bob.own
    few.them = Correspondent.restore(bob.them.record())
    assert cost(bob, far) < 4 * cost(few, far)
