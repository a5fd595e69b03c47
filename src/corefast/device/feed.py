"""What a device tells its reader: news of this run, and stored events until they were shown."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

import msgspec

from corefast.device.event import Event, MessageReceived, MessageSent, Stored
from corefast.device.profile import Profile
from corefast.device.receiving import stored_event
from corefast.logs import get_logger
from corefast.store.database import Unit

log = get_logger()

MAX_NOTICES = 10_000
"""Status and connection events kept for a reader who is late; the oldest are dropped, the store still knows them."""

SHOW_BATCH = 256


class Feed:
    """One reader's events, in order."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._notices: deque[Event] = deque(maxlen=MAX_NOTICES)
        self._news = asyncio.Event()
        self._shown_seq = 0
        self._has_waiting = True
        self._has_ended = False
        self._is_closed = False

    def tell(self, event: Event) -> None:
        self._notices.append(event)
        self._news.set()

    def tell_all(self, events: Iterable[Event]) -> None:
        for event in events:
            self.tell(event)

    def look(self) -> None:
        """Have the store asked for more: something was put there."""
        self._has_waiting = True
        self._news.set()

    def end(self) -> None:
        """Let the reader go once all is told."""
        self._has_ended = True
        self._news.set()

    def close(self) -> None:
        """Let the reader go now."""
        self._is_closed = True
        self._news.set()

    async def batches(self) -> AsyncIterator[list[Event]]:
        """Yield events in lists; the reader calls `mark_shown` itself."""
        while not self._is_closed:
            batch: list[Event] = [*self._take_notices(), *await self._next_stored()]
            if batch:
                yield batch
            elif self._has_ended and not self._news.is_set():  # what came while the store was asked is told first
                return
            else:
                await self._news.wait()

    async def events(self) -> AsyncIterator[Event]:
        """Yield events; a stored one counts as shown once the reader comes back for the next."""
        async for batch in self.batches():
            for event in batch:
                yield event
                if isinstance(event, Stored) and not self._is_closed:
                    unit = Unit()
                    self._profile.inbox.set_shown(unit, [event.seq])
                    self._profile.database.commit_then(unit, _on_shown)

    async def mark_shown(self, events: Iterable[Event]) -> None:
        """Remember that the stored ones among *events* need not be told again."""
        seqs = [event.seq for event in events if isinstance(event, Stored)]
        if seqs:
            unit = Unit()
            self._profile.inbox.set_shown(unit, seqs)
            await self._profile.database.commit(unit)

    def _take_notices(self) -> list[Event]:
        self._news.clear()
        notices = list(self._notices)
        self._notices.clear()
        return notices

    async def _next_stored(self) -> list[Event]:
        """Return the next stored events that were not told in this run."""
        if not self._has_waiting:
            return []
        self._has_waiting = False
        rows = await self._profile.inbox.waiting(self._shown_seq, SHOW_BATCH)
        if rows:
            self._shown_seq = rows[-1].seq
            self._has_waiting = True
        return await self._with_subjects([stored_event(row) for row in rows])

    async def _with_subjects(self, events: list[Stored]) -> list[Event]:
        """Return *events* with what the groups are called that messages were said in."""
        told: list[Event] = []
        subjects: dict[bytes, str] = {}
        for event in events:
            if not isinstance(event, MessageReceived | MessageSent) or event.group is None:
                told.append(event)
                continue
            if event.group not in subjects:
                group = await self._profile.groups.store.load(event.group)
                subjects[event.group] = group.roster.subject if group is not None else ""
            told.append(msgspec.structs.replace(event, subject=subjects[event.group]))
        return told


def _on_shown(error: Exception | None) -> None:
    if error is not None:
        log.warning("shown.not_stored", error=type(error).__name__)
