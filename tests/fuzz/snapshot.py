"""What comes back from a store: sessions, records of sessions, sealed values, keys; sender keys are with `group`.

The seal of the vault keeps strangers out; a fault of ours, or of an older release, still has to end in a typed error.
"""

from collections.abc import Callable

from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.selection import Selection
from corefast.endpoint.vault import Vault
from corefast.errors import KeyMalformed, SealBroken, SnapshotInvalid
from corefast.protocol.keys import KemKeyPair, KeyPair
from corefast.protocol.session import Session
from tests.protocol.stored import Rows, state_of

from .fixed import RECORDED, Draw, messages_of, refusal_of, snapshot_of

STATES = [name for name, recorded in RECORDED.items() if isinstance(recorded, dict)]
SESSION, SELECTION, VAULT, KEYS = range(4)


def _record(snapshots: list[bytes]) -> bytes:
    return b"\x01" + b"".join(len(each).to_bytes(3, "big") + each for each in snapshots)


def seeds() -> list[bytes]:
    snapshots = [snapshot_of(state) for state in STATES]
    return [
        *(bytes([SESSION]) + snapshot for snapshot in snapshots),
        bytes([SELECTION]) + _record(snapshots),
        bytes([SELECTION]) + _record([b"", snapshots[0]]),
        *(bytes([SELECTION, 2]) + Session.restore(snapshot).record() for snapshot in snapshots),
        *(bytes([SESSION]) + Session.restore(snapshot).snapshot() for snapshot in snapshots),
        bytes([VAULT]) + _vault().seal("table", b"key", b"a secret"),
        bytes([KEYS]) + bytes(32),
        bytes([KEYS]) + bytes(64),
    ]


def run(data: bytes) -> None:
    if data:
        _READERS[data[0] % len(_READERS)](data[1:])


def _session(data: bytes) -> None:
    """A session that comes back writes itself the same again, and lives on with typed errors only."""
    try:
        session = Session.restore(data)
    except SnapshotInvalid:
        return
    written = session.snapshot()
    assert Session.restore(written).snapshot() == written and len(written) <= len(data) + 64
    refusal_of(lambda: session.encrypt(b"on", Draw(b"session")))
    for state in STATES:
        for message in messages_of(state):
            before = session.snapshot()
            if refusal_of(lambda message=message: session.decrypt(message, Draw(b"session"))):  # type: ignore[misc]
                assert session.snapshot() == before


def _selection(data: bytes) -> None:
    try:
        selection = Selection.restore(data)
    except SnapshotInvalid:
        return
    refusal_of(lambda: list(selection.candidates()))
    rows, them = Rows(), Correspondent(selection)
    rows.save(them)
    assert state_of(rows.load()) == state_of(them)


def _vault() -> Vault:
    return Vault(bytes(32), Draw(b"vault"))


def _sealed(data: bytes) -> None:
    try:
        assert _vault().open("table", b"key", data) == b"a secret"
    except SealBroken:
        return


def _keys(data: bytes) -> None:
    makers: list[Callable[[bytes], KeyPair | KemKeyPair]] = [KeyPair.from_private, KemKeyPair.from_secret]
    for make in makers:
        error = refusal_of(lambda make=make: make(data))  # type: ignore[misc]
        assert error is None or isinstance(error, KeyMalformed)


_READERS: list[Callable[[bytes], None]] = [_session, _selection, _sealed, _keys]
