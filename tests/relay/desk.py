"""A router in memory: a store whose commits and reads happen when the story says so, and connections that remember."""

from typing import Any

from corefast.address import Address
from corefast.relay.mailbox import Account, Device, Outlet
from corefast.relay.router import Router
from corefast.wire.messages import Deliver, Drained, Item, Part, Post, PostResults, PostState

START_MS = 1_800_000_000_000


class FakeStore:
    """Rows by seq. `write` waits for `commit`; `read` for `answer`, and sees what is committed then."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[Any, ...]] = {}
        self.waiting: list[tuple[list[tuple[Any, ...]], list[int], Any]] = []
        self.reads: list[tuple[int, int, int, int, Any]] = []
        self.history: set[int] = set()
        self.failure: Exception | None = None

    def write(self, rows: Any, removals: Any, done: Any) -> None:
        self.waiting.append((rows, list(removals), done))

    def read(self, mailbox: int, after: int, now_ms: int, limit: int, done: Any) -> None:
        self.reads.append((mailbox, after, now_ms, limit, done))

    def commit(self) -> bool:
        """Make the oldest waiting unit durable, or fail it."""
        if not self.waiting:
            return False
        rows, removals, done = self.waiting.pop(0)
        if self.failure is not None:
            done(self.failure, [])
            return True
        kept = []
        keys = {(old[1], old[8], old[3], old[7]) for old in self.rows.values()}
        for row in rows:
            key = (row[1], row[8], row[3], row[7])
            kept.append(key not in keys)
            if kept[-1]:
                keys.add(key)
                self.rows[row[0]] = row
                self.history.add(row[0])
        kept += [self.rows.pop(seq, None) is not None for seq in removals]
        done(None, kept)
        return True

    def answer(self) -> bool:
        """Answer the oldest waiting read."""
        if not self.reads:
            return False
        mailbox, after, now_ms, limit, done = self.reads.pop(0)
        found = [row for seq, row in sorted(self.rows.items()) if row[1] == mailbox and seq > after]
        alive = [row for row in found if row[5] is None or row[5] > now_ms]
        done(None, [(row[0], row[2], row[3], row[4], row[8], row[9]) for row in alive[:limit]])
        return True

    def ids(self) -> list[bytes]:
        return [row[8] for _, row in sorted(self.rows.items())]


class Line:
    """One connection, as its client sees it."""

    def __init__(self, desk: "Desk", device: Device, shards: list[int]) -> None:
        self.desk = desk
        self.results: dict[bytes, int] = {}
        self.items: list[Item] = []
        self.drained_after: list[int] = []
        self.cut_by: Exception | None = None
        self._seen = 0
        self.outlet = Outlet(device, self.send, self)
        desk.router.attach(self.outlet, shards)

    def send(self, message: Any) -> None:
        if isinstance(message, PostResults):
            for result in message.results:
                self.results[result.id] = PostState(result.state)
        elif isinstance(message, Deliver):
            self.items += message.items
        elif isinstance(message, Drained):
            self.drained_after.append(len(self.items))
        else:
            raise AssertionError(message)

    def cut(self, error: Exception) -> None:
        self.cut_by = error

    def evict(self, code: str) -> None:
        raise AssertionError(code)

    @property
    def ids(self) -> list[bytes]:
        return [item.id for item in self.items]

    def ack(self, *items: Item) -> None:
        """Ack *items*, or everything that came since the last time."""
        if not items:
            items, self._seen = tuple(self.items[self._seen :]), len(self.items)
        self.desk.router.ack(self.outlet, [item.seq for item in items])
        self.desk.router.flush()

    def leave(self) -> None:
        self.desk.router.detach(self.outlet)
        self.desk.router.flush()


class Desk:
    """A router, its clock and its store."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.store = FakeStore()
        self.wakes = 0
        self.router = Router(self.store, lambda: self.now_ms, self.wake)  # type: ignore[arg-type]
        self._row = 0

    def wake(self) -> None:
        self.wakes += 1

    def device(self, number: str, device: int = 1, shards: int = 1) -> Device:
        self._row += 1
        account = self.router.accounts.setdefault(number, Account(number, 1, shards))
        made = Device(self._row, Address(number, device), account)
        account.devices.append(made)
        self.router.devices[self._row] = made
        return made

    def connect(self, device: Device, shards: list[int] | None = None, *, settle: bool = True) -> Line:
        line = Line(self, device, list(range(device.account.shards)) if shards is None else shards)
        if settle:
            self.settle()
        return line

    def post(self, line: Line, *posts: Post) -> None:
        self.router.post(line.outlet, list(posts))
        self.router.flush()

    def settle(self) -> None:
        """Let the disk do everything that it was asked for."""
        self.router.flush()
        while self.store.commit() or self.store.answer():
            self.router.flush()

    def pass_ms(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.router.tick()
        self.router.flush()


def message(name: int | str, to: str, *devices: int, body: bytes = b"sealed", **other: Any) -> Post:
    """A post whose id is made of *name*."""
    version = other.pop("version", 1)
    return Post(message_id(name), to, version, [Part(device, 2, body) for device in devices or (1,)], **other)


def message_id(name: int | str) -> bytes:
    return str(name).encode().rjust(16, b"0")
