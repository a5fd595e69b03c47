"""The gateway's messages about peers: which key a customer has, and what the operator decides about it."""

from enum import StrEnum

import msgspec


class PeerPin(StrEnum):
    """What the operator allows one peer: an older protocol than everybody else has to speak (docs/protocol.md)."""

    NONE = "none"
    WITHOUT_SPQR = "without_spqr"
    X3DH = "x3dh"


class GetPeer(msgspec.Struct, frozen=True, array_like=True, tag=40):
    """→ `PeerView`. *number* in any spelling; *account* may be left out. Errors: `number.invalid`, `token.invalid`."""

    number: str
    account: str = ""


class PeerView(msgspec.Struct, frozen=True, array_like=True, tag=41):
    """A peer as we know it; of a number that we never met all but *number* and *pin* is empty.

    *identity_hash* names its identity key, which *created_ms* was first seen (0: before that was noted); *acknowledged*
    is false from a change of the key on until `AcceptIdentity`; *blocked* where nothing is sent meanwhile. *devices*
    have a session with us. *safety_number*: 60 digits in groups of five, the same on the peer's side; left out in
    lists. *downgraded*: its keys lack the post-quantum one, and nothing is sent for that reason.
    """

    number: str
    identity_hash: str
    created_ms: int
    acknowledged: bool
    blocked: bool
    pin: PeerPin
    downgraded: bool
    devices: int
    safety_number: str = ""


class PinPeer(msgspec.Struct, frozen=True, array_like=True, tag=42):
    """→ `PeerView`. The sessions with the peer end, and new ones begin as *pin* says. Errors as `GetPeer`."""

    number: str
    pin: PeerPin
    account: str = ""


class AcceptIdentity(msgspec.Struct, frozen=True, array_like=True, tag=43):
    """Acknowledge the identity key with this *hash*. → `PeerView`. A repeat is harmless.

    Errors: those of `GetPeer`, `peer.unknown`, `identity.mismatch` where the peer has another key by now.
    """

    number: str
    hash: str
    account: str = ""


class ListPeers(msgspec.Struct, frozen=True, array_like=True, tag=44):
    """→ `Peers` that are pinned, not acknowledged or downgraded, behind row *after*. Errors: `token.invalid`."""

    after: int = 0
    limit: int = 100
    account: str = ""


class Peers(msgspec.Struct, frozen=True, array_like=True, tag=45):
    """*next* is for the next `ListPeers`; 0 where these were the last."""

    peers: list[PeerView]
    next: int


Message = GetPeer | PeerView | PinPeer | AcceptIdentity | ListPeers | Peers
