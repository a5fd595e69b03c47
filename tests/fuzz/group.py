"""What a member of a group sends, or somebody in his name: chains, messages, rosters; and their stored form.

A right signature over a wrong body, and a right ciphertext of a wrong content, are what only the author can make.
"""

from collections.abc import Callable

import msgspec

from corefast.endpoint.group import Group, check_said, check_tag, distribution_id_of, take_roster
from corefast.errors import ContentMalformed, PeerError, SnapshotInvalid
from corefast.limits import MAX_GROUP_MEMBERS, MAX_SKIPPED_KEYS
from corefast.protocol.fields import put_bytes, put_number
from corefast.protocol.group import MAX_STATES, Distribution, GroupReceiver, GroupSender
from corefast.wire.body import Text
from corefast.wire.content import Content, GroupLeave, GroupNews, GroupTag, Roster, encode_content, read_content

from .fixed import Draw, refusal_of

GROUP_ID = bytes(range(16))
AUTHOR, OWN = "49171", "4930"
ITEM = bytes(16)
CHAINS, FARTHEST = 8, 40
DISTRIBUTION, MESSAGE, SIGNED, SENDER, RECEIVER, SAID, STORY = range(7)
JOIN, SEND, PASS = range(3)


def _pair() -> tuple[GroupSender, GroupReceiver]:
    sender, receiver = GroupSender.new(GROUP_ID, Draw(b"group")), GroupReceiver(GROUP_ID)
    receiver.join(Distribution.parse(sender.distribution()))
    return sender, receiver


def _contents(key: bytes) -> list[Content]:
    rosters = [None, Roster(1, "Dinner", [OWN, "4940"]), Roster(7, "Dinner", []), Roster(2, "", [OWN, OWN])]
    tags = [GroupTag(GROUP_ID, some, roster) for roster in rosters for some in (b"", key, b"\x33")]
    said = [Content(ITEM, 1, body, group=tag) for tag in tags for body in (Text("at eight"), GroupNews(), GroupLeave())]
    return [*said, Content(ITEM, 1, Text("alone"), author=AUTHOR), Content(b"", 1, Text("other"), author=OWN)]


def seeds() -> list[bytes]:
    sender, receiver = _pair()
    first = sender.distribution()
    sent = [sender.encrypt(b"one", Draw(b"sign")) for _ in range(4)]
    receiver.decrypt(sent[3])
    far = b"\x33" + put_bytes(1, GROUP_ID) + put_number(3, 2**32 - 1) + put_bytes(4, b"")
    return [
        bytes([DISTRIBUTION]) + first,
        *(bytes([MESSAGE]) + message for message in sent),
        *(bytes([SIGNED]) + message[:-64] for message in [*sent, far + bytes(64)]),
        bytes([SENDER]) + sender.snapshot(),
        bytes([RECEIVER]) + receiver.snapshot(),
        *(bytes([SAID]) + encode_content(each).rstrip(b"\0")[:-1] for each in _contents(first)),
        bytes([STORY, *(JOIN << 6 | chain for chain in range(CHAINS)), *(SEND << 6 | 8 * n for n in range(4))]),
        bytes([STORY, JOIN << 6, PASS << 6 | 63, SEND << 6 | 4, SEND << 6, SEND << 6 | 4]),
    ]


def run(data: bytes) -> None:
    if data:
        _TARGETS[data[0] % len(_TARGETS)](data[1:])


def _distribution(message: bytes) -> None:
    try:
        distribution = Distribution.parse(message)
    except PeerError:
        return
    assert Distribution.parse(distribution.encode()) == distribution
    receiver = GroupReceiver(distribution.distribution_id)
    receiver.join(distribution)
    assert GroupReceiver.restore(receiver.snapshot()).snapshot() == receiver.snapshot()


def _message(message: bytes) -> None:
    """A message is read once; whatever else comes of it changes nothing, and what it names is the same everywhere."""
    _, receiver = _pair()
    before = receiver.snapshot()
    for is_first in (True, False):
        if refusal_of(lambda: receiver.decrypt(message)):
            assert receiver.snapshot() == before
        else:
            assert is_first and distribution_id_of(message) == GROUP_ID
            before = receiver.snapshot()


def _signed(body: bytes) -> None:
    sender, _ = _pair()
    _message(body + sender._signing.sign(body, Draw(b"sign")))


def _sender(data: bytes) -> None:
    try:
        sender = GroupSender.restore(data)
    except SnapshotInvalid:
        return
    assert GroupSender.restore(sender.snapshot()).snapshot() == sender.snapshot()
    if not refusal_of(lambda: sender.encrypt(b"on", Draw(b"group"))):
        assert Distribution.parse(sender.distribution()).iteration > 0


def _receiver(data: bytes) -> None:
    try:
        receiver = GroupReceiver.restore(data)
    except SnapshotInvalid:
        return
    assert GroupReceiver.restore(receiver.snapshot()).snapshot() == receiver.snapshot()
    before = receiver.snapshot()
    for count in (0, 5):
        sender = GroupSender.new(GROUP_ID, Draw(b"group"))
        for _ in range(count):
            sender.encrypt(b"passed over", Draw(b"sign"))
        if refusal_of(lambda sender=sender: receiver.decrypt(sender.encrypt(b"on", Draw(b"sign")))):  # type: ignore[misc]
            assert receiver.snapshot() == before
        before = receiver.snapshot()


def _said(packed: bytes) -> None:
    """What a member says is refused as content, or is of its group and its author, and its roster is sound."""
    try:
        content = read_content(packed + b"\x80", AUTHOR)
    except ContentMalformed:
        return
    if not refusal_of(lambda: check_said(content, AUTHOR, GROUP_ID)):
        assert content.group == GroupTag(GROUP_ID) and content.author in ("", AUTHOR) and len(content.id) == 16
    if refusal_of(lambda: check_tag(content, AUTHOR, ITEM)) or content.group is None:
        return
    tag = content.group
    if tag.key:
        assert Distribution.parse(tag.key).distribution_id == tag.id
    for founder in (AUTHOR, "4940"):
        _take(Group(tag.id, founder, Roster(2, "known", [OWN]), gone=["4950"]), tag)
    _take(None, tag)


def _take(known: Group | None, tag: GroupTag) -> None:
    after = take_roster(known, tag, AUTHOR, OWN)
    if after is None:
        return
    assert tag.roster is not None and after.founder == AUTHOR and after.roster == tag.roster and not after.gone
    assert after.has(OWN) if known is None else known.founder == AUTHOR and after.roster.revision > 2
    assert len(after.others("")) == len(set(after.others(""))) <= MAX_GROUP_MEMBERS + 1
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(after), type=Group) == after


def _story(steps: bytes) -> None:
    """Eight chains in any order of joining, messages in any order: each is read at most once, as it was written."""
    senders = [GroupSender.new(GROUP_ID, Draw(bytes([chain]))) for chain in range(CHAINS)]
    receiver = GroupReceiver(GROUP_ID)
    # A chain that gave way and is handed out again is read from there on: nobody hands out an older place of it.
    from_here = [2**32] * CHAINS
    sent: list[tuple[int, int, bytes]] = []
    was_read: set[tuple[int, int]] = set()
    for step in steps[:200]:
        kind, value = step >> 6, step & 63
        chain = value % CHAINS
        sender = senders[chain]
        if kind == JOIN:
            distribution = Distribution.parse(sender.distribution())
            receiver.join(distribution)
            from_here[chain] = min(from_here[chain], distribution.iteration)
        elif kind == PASS:
            for _ in range(value % FARTHEST):
                sender.encrypt(b"", Draw(b"sign"))
        else:
            if kind == SEND or not sent:
                place = sender._state.iteration
                sent.append((chain, place, sender.encrypt(b"%d %d" % (chain, place), Draw(b"sign"))))
            chain, place, message = sent[-1 - value % len(sent)] if kind != SEND else sent[-1]
            before = receiver.snapshot()
            try:
                plaintext = receiver.decrypt(message)
            except PeerError:
                assert receiver.snapshot() == before
            else:
                assert plaintext == b"%d %d" % (chain, place)
                assert place >= from_here[chain] and (chain, place) not in was_read
                was_read.add((chain, place))
        receiver = GroupReceiver.restore(receiver.snapshot())
        states = receiver._state.states
        assert len(states) <= MAX_STATES and all(len(each.skipped) <= MAX_SKIPPED_KEYS for each in states)


_TARGETS: list[Callable[[bytes], None]] = [_distribution, _message, _signed, _sender, _receiver, _said, _story]
