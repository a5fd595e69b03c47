"""Which copy of an account may send: a compare-and-set on a token, and the highest commit number seen (promise 5)."""

import hmac
from dataclasses import dataclass

from corefast.errors import AttachSuperseded, ParameterInvalid
from corefast.relay.store import attachment as rows
from corefast.store.database import Op, Row, Unit
from corefast.wire.messages import Attach

TOKEN_BYTES = 16
PHONE = -1
"""In the place of a shard: a phone has one state for all that it is."""
MAX_COMMIT_SEQ = 2**62


@dataclass(slots=True)
class Attachment:
    """The state of one shard, or of a phone; memory is ahead of the disk by at most a second of commit numbers."""

    token: bytes
    commit_seq: int


def places_of(wish: Attach) -> list[int]:
    """Return whose states an attach moves: those of its shards, of the phone, or none of a phone without a token."""
    return wish.shards or ([PHONE] if wish.next_token else [])


class Attachments:
    """All attachments. A phone of a release without tokens has none: a newer connection of it cuts the older."""

    def __init__(self, loaded: list[Row]) -> None:
        self._states = {(device, shard): Attachment(token, seq) for device, shard, token, seq in loaded}
        self._cores = {device for device, shard in self._states if shard != PHONE}
        self._changed: set[tuple[int, int]] = set()
        self._taken: set[tuple[int, int]] = set()
        """Changes in the transaction that is under way, or in one that failed."""

    def is_core(self, device: int) -> bool:
        """Whether a core, not a phone, attached as this device."""
        return device in self._cores

    def move(self, device: int, wish: Attach) -> None:
        """Move the token of each shard in *wish*, or of the phone, or none; raise `AttachSuperseded`.

        A place without a state takes any token: its device has just registered.
        """
        is_phone = (device, PHONE) in self._states
        places = places_of(wish)
        if device in self._cores and not wish.shards or is_phone and places != [PHONE]:
            raise AttachSuperseded("this account is attached by token")
        if not places:
            return
        if len(wish.next_token) != TOKEN_BYTES or not 0 <= wish.commit_seq <= MAX_COMMIT_SEQ:
            raise ParameterInvalid("an attach by token needs a next_token of 16 bytes and a commit_seq")
        if not wish.force:
            for place in places:
                self._check(self._states.get((device, place)), wish)
        if wish.shards:
            self._cores.add(device)
        for place in places:
            self._states[device, place] = Attachment(wish.next_token, wish.commit_seq)

    def _check(self, state: Attachment | None, wish: Attach) -> None:
        if state is None:
            return
        knows = hmac.compare_digest(state.token, wish.token) or hmac.compare_digest(state.token, wish.next_token)
        if not knows or wish.commit_seq < state.commit_seq:
            raise AttachSuperseded("another copy of this account attached later")

    def recheck(self, device: int, wish: Attach) -> None:
        """Raise `AttachSuperseded` where somebody else moved a token of *wish* since."""
        if any(self._states[device, place].token != wish.next_token for place in places_of(wish)):
            raise AttachSuperseded("another copy of this account attached later")

    def add(self, unit: Unit, device: int, places: list[int]) -> None:
        """Let *unit* make these states of the device durable."""
        for place in places:
            state = self._states[device, place]
            unit.ops.append(rows.put(device, place, state.token, state.commit_seq))

    def saw(self, device: int, places: list[int], commit_seq: int) -> None:
        """Remember the highest commit number of a sender; durable with the next transaction."""
        for place in places:
            state = self._states[device, place]
            if state.commit_seq < commit_seq <= MAX_COMMIT_SEQ:
                state.commit_seq = commit_seq
                self._changed.add((device, place))

    @property
    def is_changed(self) -> bool:
        """True while the disk is behind."""
        return bool(self._changed or self._taken)

    def take_changes(self) -> list[Op]:
        """Return what makes the disk catch up, for the head of the transaction that is about to begin.

        They come again with each transaction until `committed`: any of them may fail.
        """
        self._taken |= self._changed
        self._changed.clear()
        return [rows.put(*key, self._states[key].token, self._states[key].commit_seq) for key in self._taken]

    def committed(self) -> None:
        """Note that the transaction with the changes taken last is durable."""
        self._taken.clear()
