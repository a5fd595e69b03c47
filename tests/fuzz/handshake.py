"""Noise: both messages of IK and NNpsk0, and the first bytes of a connection, from anybody and from an honest key."""

from corefast.errors import CorefastError, HandshakeFailed
from corefast.link.events import Closed
from corefast.link.link import Link
from corefast.link.secure import Handshake, Secured, initiator_ik, initiator_psk, responder_ik, responder_psk
from corefast.native.curve import public_from_private
from corefast.protocol.noise.handshake import HandshakeState, KeyPair
from corefast.protocol.noise.patterns import IK, NN_PSK0, Pattern
from corefast.wire.frame import frame
from corefast.wire.version import prologue
from tests.link.pair import codec

from .fixed import Draw

OURS, THEIRS, SECRETS = bytes([1]) * 32, bytes([2]) * 32, [bytes([3]) * 32, bytes([4]) * 32]
AS_RESPONDER, AS_INITIATOR, WITH_PAYLOAD, AS_LINK = range(4)


def _responder(is_ik: bool) -> Handshake:
    return (responder_ik(THEIRS) if is_ik else responder_psk(SECRETS))(Draw(b"responder"))


def _initiator(is_ik: bool) -> Handshake:
    factory = initiator_ik(OURS, public_from_private(THEIRS)) if is_ik else initiator_psk(SECRETS[1])
    return factory(Draw(b"initiator"))


def _honest(is_ik: bool) -> HandshakeState:
    """The initiator, able to send a payload."""
    pattern: Pattern = IK if is_ik else NN_PSK0
    keys = {"s": KeyPair.from_private(OURS), "rs": public_from_private(THEIRS)} if is_ik else {"psk": SECRETS[1]}
    return HandshakeState(pattern, True, prologue(), random=Draw(b"initiator"), **keys)  # type: ignore[arg-type]


def seeds() -> list[bytes]:
    found = []
    for is_ik in (True, False):
        initiator = _initiator(is_ik)
        first = initiator.first()
        second, _ = _responder(is_ik).receive(first)
        for mode, message in enumerate((first, second, b"payload", b"\x01" + frame(first), b"\x01" + frame(second))):
            found.append(bytes([min(mode, AS_LINK) << 2 | (mode == 4) << 1 | is_ik]) + message)
    return found


def run(data: bytes) -> None:
    if not data:
        return
    mode, is_initiator, is_ik = data[0] >> 2 & 3, bool(data[0] & 2), bool(data[0] & 1)
    if mode == AS_RESPONDER:
        _answer(is_ik, data[1:])
    elif mode == AS_INITIATOR:
        _finish(is_ik, data[1:])
    elif mode == WITH_PAYLOAD:
        assert _answer(is_ik, _honest(is_ik).write_message(data[1:])) is not None
    else:
        _open(_initiator(is_ik) if is_initiator else _responder(is_ik), data[1:])


def _answer(is_ik: bool, message: bytes) -> Secured | None:
    """Only who knows a secret gets an answer, and that one fits."""
    try:
        answer, secured = _responder(is_ik).receive(message)
    except HandshakeFailed:
        return None
    honest = _honest(is_ik)
    if honest.write_message(b"")[:32] == message[:32]:
        assert (secured.their_static == public_from_private(OURS)) is is_ik and (secured.psk_index == 1) is not is_ik
    assert len(answer) == 48 and secured.sending.has_key() and secured.receiving.has_key()
    return secured


def _finish(is_ik: bool, message: bytes) -> None:
    ours = _initiator(is_ik)
    first = ours.first()
    try:
        _, secured = ours.receive(message)
    except HandshakeFailed:
        return
    _, theirs = _responder(is_ik).receive(first)
    assert theirs.receiving.decrypt_with_ad(b"", secured.sending.encrypt_with_ad(b"", b"hello")) == b"hello"


def _open(handshake: Handshake, data: bytes) -> None:
    """A link takes any first bytes without raising; what ends it is typed."""
    link = Link(handshake, codec, 0)
    link.data_to_send()
    for at in range(0, len(data), 50):
        for event in link.receive_data(data[at : at + 50], 0):
            if isinstance(event, Closed):
                assert isinstance(event.error, CorefastError)
                assert sum(map(len, link.data_to_send())) < 1_024
                return
