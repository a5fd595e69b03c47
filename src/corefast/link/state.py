"""The phases of a link, and what may follow what."""

from enum import IntEnum

from corefast.errors import PeerOutOfTurn


class Phase(IntEnum):
    VERSION = 0
    """Waiting for the other side's version byte."""
    HANDSHAKE = 1
    """Waiting for its handshake message."""
    CONFIRM = 2
    """We are the responder and wait for a first frame: until then the handshake may be a replay."""
    OPEN = 3
    CLOSED = 4
    """Nothing more is read; what was queued, a close record last, may still leave."""


class Turn(IntEnum):
    VERSION_AGREED = 0
    HANDSHAKE_FINISHED = 1
    """By the initiator: it has read the responder's message, which proves the responder alive."""
    HANDSHAKE_ANSWERED = 2
    """By the responder."""
    FRAME_OPENED = 3
    ENDED = 4


NEXT = {
    (Phase.VERSION, Turn.VERSION_AGREED): Phase.HANDSHAKE,
    (Phase.HANDSHAKE, Turn.HANDSHAKE_FINISHED): Phase.OPEN,
    (Phase.HANDSHAKE, Turn.HANDSHAKE_ANSWERED): Phase.CONFIRM,
    (Phase.CONFIRM, Turn.FRAME_OPENED): Phase.OPEN,
    (Phase.VERSION, Turn.ENDED): Phase.CLOSED,
    (Phase.HANDSHAKE, Turn.ENDED): Phase.CLOSED,
    (Phase.CONFIRM, Turn.ENDED): Phase.CLOSED,
    (Phase.OPEN, Turn.ENDED): Phase.CLOSED,
}


def next_phase(phase: int, turn: Turn) -> Phase:
    """Return the phase after *turn*; raise `PeerOutOfTurn` where none is allowed."""
    try:
        return NEXT[Phase(phase), turn]
    except KeyError:
        raise PeerOutOfTurn(f"{turn.name.lower()} in phase {Phase(phase).name.lower()}") from None
