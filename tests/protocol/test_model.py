"""Two parties over an adversarial network, step by step against the model.

The short profile runs with every test; HYPOTHESIS_PROFILE=long looks for as long as `LONG_EXAMPLES` take.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from corefast.limits import MAX_MESSAGE_GAP, MAX_SKIPPED_KEYS

from .network import Device, Message

LONG_EXAMPLES = 1_500
IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
SIDES = st.sampled_from([0, 1])
PLACES = st.integers(0, 10_000)


class Network(RuleBasedStateMachine):
    """Drops, repeats, reorders, delays, corrupts and misdirects; devices start over and restart whenever they like."""

    @initialize(seed=st.binary(max_size=4))
    def begin(self, seed: bytes) -> None:
        self.devices = [Device(seed + b"alice"), Device(seed + b"bob")]
        self.on_the_way: list[list[tuple[bytes, Message]]] = [[], []]
        self.sent: list[list[tuple[bytes, Message]]] = [[], []]
        self.read: set[bytes] = set()
        self.count = 0

    @rule(side=SIDES)
    def start(self, side: int) -> None:
        self.devices[side].start(self.devices[1 - side])

    def can_write(self) -> bool:
        return any(device.them.has_session for device in self.devices)

    @precondition(can_write)
    @rule(side=SIDES, count=st.sampled_from([1, 1, 1, 2, 5, 30]), size=st.sampled_from([0, 1, 15, 16, 17, 200]))
    def write(self, side: int, count: int, size: int) -> None:
        if not self.devices[side].them.has_session:
            side = 1 - side
        for _ in range(count):
            self.count += 1
            plaintext = b"%d:" % self.count + bytes(size)
            message = plaintext, self.devices[side].encrypt(plaintext)
            self.on_the_way[1 - side].append(message)
            self.sent[1 - side].append(message)

    def can_deliver(self) -> bool:
        return any(self.on_the_way)

    @precondition(can_deliver)
    @rule(side=SIDES, place=PLACES, is_kept=st.booleans())
    def deliver(self, side: int, place: int, is_kept: bool) -> None:
        waiting = self.on_the_way[side] or self.on_the_way[1 - side]
        side = side if self.on_the_way[side] else 1 - side
        place %= len(waiting)
        self._hand_over(side, *(waiting[place] if is_kept else waiting.pop(place)))

    @precondition(can_deliver)
    @rule(side=SIDES)
    def deliver_all_in_order(self, side: int) -> None:
        waiting, self.on_the_way[side] = self.on_the_way[side], []
        for message in waiting:
            self._hand_over(side, *message)

    @precondition(can_deliver)
    @rule(side=SIDES, place=PLACES)
    def drop(self, side: int, place: int) -> None:
        del self.on_the_way[side][: place % (len(self.on_the_way[side]) + 1)]

    def has_history(self) -> bool:
        return any(self.sent)

    @precondition(has_history)
    @rule(side=SIDES, place=PLACES)
    def replay(self, side: int, place: int) -> None:
        history = self.sent[side]
        if history:
            self._hand_over(side, *history[place % len(history)])

    @precondition(has_history)
    @rule(side=SIDES, place=PLACES, at=PLACES, bit=st.integers(0, 7))
    def corrupt(self, side: int, place: int, at: int, bit: int) -> None:
        history = self.sent[side]
        if history:
            plaintext, (kind, body) = history[place % len(history)]
            damaged = bytearray(body)
            damaged[at % len(body)] ^= 1 << bit
            self._hand_over(side, plaintext, (kind, bytes(damaged)))

    @precondition(has_history)
    @rule(side=SIDES, place=PLACES, at=PLACES)
    def cut(self, side: int, place: int, at: int) -> None:
        history = self.sent[side]
        if history:
            plaintext, (kind, body) = history[place % len(history)]
            self._hand_over(side, plaintext, (kind, body[: at % len(body)]))

    @precondition(has_history)
    @rule(side=SIDES, place=PLACES)
    def send_back(self, side: int, place: int) -> None:
        """A message comes back to its author."""
        history = self.sent[side]
        if history:
            assert self.devices[1 - side].decrypt(history[place % len(history)][1]) is None

    @precondition(has_history)
    @rule(side=SIDES, place=PLACES, other=PLACES)
    def cross(self, side: int, place: int, other: int) -> None:
        """The inside of one message travels in the start of another session."""
        history = self.sent[side]
        starts = [body for _, (kind, body) in history if kind == 3]
        if starts:
            plaintext, (kind, body) = history[place % len(history)]
            self._hand_over(side, plaintext, (5 - kind, body))
            self._hand_over(side, plaintext, (3, starts[other % len(starts)][:-1] + body[-1:]))

    @rule(side=SIDES)
    def restart(self, side: int) -> None:
        self.devices[side].restart()

    def _hand_over(self, side: int, plaintext: bytes, message: Message) -> None:
        read = self.devices[side].decrypt(message)
        if read is not None:
            assert read not in self.read, "a message was read twice"
            assert read in {text for text, _ in self.sent[side]}
            self.read.add(read)


TestNetwork = Network.TestCase
TestNetwork.settings = settings(
    max_examples=LONG_EXAMPLES if IS_LONG else 25,
    stateful_step_count=80 if IS_LONG else 40,
    derandomize=not IS_LONG,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def talking() -> tuple[Device, Device]:
    alice, bob = Device(b"alice"), Device(b"bob")
    alice.start(bob)
    assert bob.decrypt(alice.encrypt(b"hello")) == b"hello"
    assert alice.decrypt(bob.encrypt(b"hi")) == b"hi"
    return alice, bob


def test_only_the_newest_skipped_keys_are_kept():
    alice, bob = talking()
    late = [alice.encrypt(b"%d" % number) for number in range(MAX_SKIPPED_KEYS + 3)]
    assert bob.decrypt(alice.encrypt(b"newest")) == b"newest"
    assert [bob.decrypt(late[place]) for place in (0, 2, 3, 4, -1)] == [None, None, b"3", b"4", b"%d" % (len(late) - 1)]


def test_the_largest_gap_is_jumped_and_one_more_is_not():
    alice, bob = talking()
    for _ in range(MAX_MESSAGE_GAP):
        alice.encrypt(b"lost")
    reached, too_far = alice.encrypt(b"reached"), alice.encrypt(b"too far")
    assert bob.decrypt(too_far) is None
    bob.restart()
    assert bob.decrypt(reached) == b"reached"
    assert bob.decrypt(too_far) == b"too far"


def test_messages_of_the_last_five_chains_are_read_and_older_ones_not():
    alice, bob = talking()
    late = []
    for turn in range(7):
        late.append(alice.encrypt(b"late %d" % turn))
        assert bob.decrypt(alice.encrypt(b"now")) == b"now"
        assert alice.decrypt(bob.encrypt(b"turn")) == b"turn"
    assert [bob.decrypt(message) for message in late] == [None, None, *(b"late %d" % turn for turn in range(2, 7))]


def test_two_that_start_at_the_same_moment_meet_in_one_session():
    alice, bob = talking()
    for _ in range(3):
        alice.start(bob)
        bob.start(alice)
        crossing = alice.encrypt(b"from alice"), bob.encrypt(b"from bob")
        assert (bob.decrypt(crossing[0]), alice.decrypt(crossing[1])) == (b"from alice", b"from bob")
        for turn in range(4):
            assert bob.decrypt(alice.encrypt(b"%d" % turn)) == b"%d" % turn
            assert alice.decrypt(bob.encrypt(b"%d" % turn)) == b"%d" % turn
