"""The sessions with a device as a database keeps them: a record, and parts that are written when they change."""

from corefast.endpoint.cipher import Correspondent


def state_of(them: Correspondent) -> list[bytes]:
    """Return everything there is of the sessions, the current one first."""
    sessions = them._sessions
    current = b"" if sessions.current is None else sessions.current.snapshot()
    return [current, *(snapshot for _, snapshot in sessions._archived)]


class Rows:
    """What is stored of one correspondent."""

    def __init__(self) -> None:
        self.record = b""
        self.parts: dict[tuple[int, int], bytes] = {}

    def save(self, them: Correspondent) -> None:
        """Store what changed since the last time."""
        for part in them.take_changes():
            if part.content is None:
                for key in [key for key in self.parts if key[0] == part.kind and part.number <= key[1] <= part.last]:
                    del self.parts[key]
            else:
                self.parts[part.kind, part.number] = part.content
        self.record = them.record()

    def load(self) -> Correspondent:
        return Correspondent.restore(self.record, [(*key, self.parts[key]) for key in sorted(self.parts)])
