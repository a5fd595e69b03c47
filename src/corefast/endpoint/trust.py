"""Whether a peer's identity key is the one that we know (trust on first use)."""

from enum import Enum


class Trust(Enum):
    """What an identity key is to us."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"


def check_identity(known: bytes | None, seen: bytes) -> Trust:
    """Compare the identity key *seen* with the one *known*, None where the peer is a stranger."""
    if known is None:
        return Trust.NEW
    return Trust.SAME if known == seen else Trust.CHANGED
