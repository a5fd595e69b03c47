"""Skipped keys in blocks: which are told when, and what may come back from them."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import raises

from corefast.errors import MessageGapTooLarge, MessageMacInvalid, MessageReplayed, PeerError, SnapshotInvalid
from corefast.limits import MAX_MESSAGE_GAP, MAX_SKIPPED_KEYS
from corefast.protocol.session import Session

from .party import pass_on, read, session_pair, write


class Stored:
    """What a store holds of one session."""

    def __init__(self, session: Session) -> None:
        self.record = b""
        self.blocks: dict[int, bytes] = {}
        self.save(session)

    def save(self, session: Session) -> list[int]:
        """Take what changed; return the sizes of the rows written, 0 for a deletion."""
        sizes = []
        for first, last, block in session.take_changes():
            if block is None:
                for number in [number for number in self.blocks if first <= number <= last]:
                    del self.blocks[number]
            else:
                assert first == last and first < 2**63
                self.blocks[first] = block
            sizes.append(len(block or b""))
        assert not session.has_changes
        self.record = session.record()
        return sizes

    def load(self) -> Session:
        session = Session.restore(self.record)
        for number in sorted(self.blocks):
            session.load_block(self.blocks[number])
        assert not session.has_changes
        return session


def test_what_comes_in_order_changes_no_block():
    ours, theirs = session_pair()
    for _ in range(3):
        pass_on(ours, theirs, b"x")
        pass_on(theirs, ours, b"turn")
        assert not ours.has_changes and ours.take_changes() == []
    assert len(ours.record()) <= 660


def test_a_jump_of_2000_is_126_rows_and_each_late_message_rewrites_two_small_ones():
    ours, theirs = session_pair()
    stored = Stored(theirs)
    messages = [write(ours, b"%d" % i) for i in range(MAX_SKIPPED_KEYS + 1)]
    read(theirs, messages[-1])
    sizes = stored.save(theirs)
    assert len(sizes) <= 2 * 64 and max(sizes) <= 1_100
    for late in (7, 1_000, 1_999):
        theirs = stored.load()
        assert read(theirs, messages[late]) == b"%d" % late
        sizes = stored.save(theirs)
        assert len(sizes) == 2 and max(sizes) <= 1_100


def test_nothing_is_left_in_the_rows_when_all_late_messages_were_read():
    ours, theirs = session_pair()
    stored = Stored(theirs)
    messages = [write(ours, b"%d" % i) for i in range(100)]
    read(theirs, messages[99])
    stored.save(theirs)
    for late in messages[:99]:
        read(theirs, late)
    stored.save(theirs)
    assert stored.blocks == {}


def test_the_rows_of_a_chain_go_with_the_chain():
    ours, theirs = session_pair()
    stored = Stored(theirs)
    late = write(ours, b"late")
    for _ in range(5):
        pass_on(ours, theirs, b"in time")
        pass_on(theirs, ours, b"turn")
        stored.save(theirs)
    seeds = [number for number, block in stored.blocks.items() if block[0] == 0]
    assert len(seeds) == 1
    assert read(stored.load(), late) == b"late"
    pass_on(ours, theirs, b"a sixth chain")
    stored.save(theirs)
    assert not [number for number, block in stored.blocks.items() if block[0] == 0]
    with raises(MessageMacInvalid):
        read(stored.load(), late)


def test_keys_that_gave_way_are_gone_from_the_rows():
    ours, theirs = session_pair()
    stored = Stored(theirs)
    messages = [write(ours, b"x") for _ in range(MAX_SKIPPED_KEYS + 102)]
    read(theirs, messages[MAX_SKIPPED_KEYS])
    stored.save(theirs)
    read(theirs, messages[-1])
    stored.save(theirs)
    assert sum((len(block) - 41) // 32 for block in stored.blocks.values()) == 2 * MAX_SKIPPED_KEYS
    theirs = stored.load()
    with raises(MessageReplayed):
        read(theirs, messages[99])
    assert read(theirs, messages[100]) == b"x"


@settings(max_examples=25)
@given(st.data())
def test_record_and_blocks_are_the_session_after_any_loss_and_order(data):
    ours, theirs = session_pair()
    stored = Stored(theirs)
    on_the_way: list[bytes] = []
    for _ in range(data.draw(st.integers(1, 25))):
        on_the_way += [write(ours, b"x") for _ in range(data.draw(st.integers(1, 70)))]
        if data.draw(st.booleans()):
            pass_on(theirs, ours, b"turn")
        for _ in range(data.draw(st.integers(1, 3))):
            message = on_the_way.pop(data.draw(st.integers(0, len(on_the_way) - 1)))
            try:
                read(theirs, message)
            except MessageMacInvalid:
                pass
            if not on_the_way:
                break
        stored.save(theirs)
        assert stored.load().snapshot() == theirs.snapshot()
        if data.draw(st.booleans()):
            theirs = stored.load()


def blocks_of_a_gap() -> tuple[Session, list[bytes]]:
    """A session with three skipped messages without their keys, and the blocks of those."""
    ours, theirs = session_pair()
    for _ in range(3):
        write(ours, b"lost")
    pass_on(ours, theirs, b"ahead")
    blocks = [block for _, _, block in theirs.take_changes() if block]
    return Session.restore(theirs.record()), blocks


def test_a_block_that_is_cut_or_longer_or_of_another_session_is_refused():
    session, blocks = blocks_of_a_gap()
    other, _ = blocks_of_a_gap()
    before = session.snapshot()
    for block in blocks:
        for size in range(len(block)):
            with raises(SnapshotInvalid):
                session.load_block(block[:size])
        with raises(SnapshotInvalid):
            session.load_block(block + b"\0")
        with raises(SnapshotInvalid):
            session.load_block(b"\2" + block[1:])
        with raises(SnapshotInvalid):
            session.load_block(block[:33] + b"\xff\xff\xff\xff" + block[37:])
        with raises(SnapshotInvalid):
            other.load_block(block)
    assert session.snapshot() == before


def test_a_block_that_comes_twice_or_from_behind_the_chain_is_refused():
    session, blocks = blocks_of_a_gap()
    for block in blocks:
        with raises(SnapshotInvalid):
            session.load_block(block[:33] + bytes([0, 0, 0, 9]) + block[37:])
        session.load_block(block)
        before = session.snapshot()
        with raises(SnapshotInvalid):
            session.load_block(block)
        assert session.snapshot() == before


NOISE_TARGET = blocks_of_a_gap()


@given(st.binary(max_size=300))
def test_noise_is_no_block(noise):
    session, blocks = NOISE_TARGET
    for start in (b"", blocks[0][:33], blocks[-1][:33]):
        with raises(SnapshotInvalid):
            session.load_block(start + b"\xff" + noise)


def test_skipping_and_taking_cost_the_same_with_few_keys_and_with_many():
    """Of 2,000 keys, or of 40: the time of a lost message, and of a late one, in CPU seconds a message."""

    def cost(kept: int) -> float:
        ours, theirs = session_pair()
        messages = [write(ours, b"x") for _ in range(kept + 401)]
        read(theirs, messages[kept])
        begin = time.process_time()
        for i in range(kept + 2, kept + 401, 2):
            read(theirs, messages[i])
        for i in range(kept + 1, kept + 401, 2):
            read(theirs, messages[i])
        return time.process_time() - begin

    few = min(cost(40) for _ in range(5))
    many = min(cost(MAX_SKIPPED_KEYS) for _ in range(5))
    assert many < 2 * few


def test_forged_jumps_end_at_the_limit_and_change_nothing():
    ours, theirs = session_pair()
    far = [write(ours, b"x") for _ in range(MAX_MESSAGE_GAP + 2)]
    before = theirs.snapshot()
    for message in (far[MAX_MESSAGE_GAP], far[MAX_SKIPPED_KEYS]):
        with raises(MessageMacInvalid):
            read(theirs, message[:-1] + bytes([message[-1] ^ 1]))
        assert not theirs.has_changes and theirs.snapshot() == before
    begin = time.process_time()
    for _ in range(100):
        with raises(MessageGapTooLarge):
            read(theirs, far[MAX_MESSAGE_GAP + 1])
    assert time.process_time() - begin < 0.1
    assert theirs.reach(far[MAX_MESSAGE_GAP + 1]) == MAX_MESSAGE_GAP + 1
    with raises(PeerError):
        theirs.reach(b"\x44")
    assert theirs.snapshot() == before
