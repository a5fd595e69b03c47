"""What we ask peers for once more, and what they ask us for."""

from typing import NamedTuple

from corefast.device.store.outbox import State
from corefast.endpoint.resend import Ask, Book, Budget, Sent
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.limits import MAX_RESENDS
from corefast.store.database import Database, Statement, Unit

_ASKS = Statement("SELECT sender, device, id, identity, made_ms, is_due FROM ask ORDER BY made_ms")
_BUDGETS = Statement("SELECT number, window_ms, requests, session_ms FROM ask_budget")
_DEBTORS = Statement("SELECT DISTINCT recipient FROM debt WHERE is_due = 1")
_PUT_ASK = Statement("INSERT INTO ask (sender, device, id, identity, made_ms, is_due) VALUES (?, ?, ?, ?, ?, 1)")
_SET_ASK = Statement("UPDATE ask SET identity = ?, is_due = ? WHERE sender = ? AND id = ?")
_DELETE_ASK = Statement("DELETE FROM ask WHERE sender = ? AND id = ?")
_PUT_BUDGET = Statement(
    "INSERT OR REPLACE INTO ask_budget (number, window_ms, requests, session_ms) VALUES (?, ?, ?, ?)"
)
_OWE = Statement(
    "INSERT INTO debt (recipient, id, device, times, is_due, made_ms) VALUES (?, ?, ?, 1, 1, ?)"
    " ON CONFLICT (recipient, id, device) DO UPDATE SET times = min(times + (is_due = 0), 99), is_due = 1"
)
_DEBTS = Statement(
    "SELECT d.id, d.device, d.times, o.at_ms, o.identity, o.state, o.content,"
    " (SELECT sum(min(e.times - e.is_due, ?)) FROM debt e WHERE e.recipient = d.recipient AND e.id = d.id) FROM debt d"
    " LEFT JOIN outbox o ON o.id = d.id AND o.recipient = d.recipient"
    " WHERE d.recipient = ? AND d.is_due = 1 ORDER BY o.seq LIMIT ?"
)
_SETTLE = Statement("UPDATE debt SET is_due = 0 WHERE recipient = ? AND id = ? AND device = ?")
_FORGIVE = Statement("DELETE FROM debt WHERE recipient = ? AND id = ? AND device = ?")
_OLD_DEBTS = Statement("DELETE FROM debt WHERE made_ms < ?")
_OLD_BUDGETS = Statement("DELETE FROM ask_budget WHERE window_ms < ? AND session_ms < ?")


class Debt(NamedTuple):
    """A message that a device asks for; *sent* is None where it is none of ours to that peer."""

    recipient: str
    id: bytes
    device: int
    sent: Sent | None
    content: bytes | None
    """None where it is not kept any more, or damaged."""


class ResendStore:
    """Asks, debts and budgets."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def load(self, book: Book) -> None:
        """Put what is stored into *book*."""
        for row, ask in enumerate(await self._database.fetch(_ASKS)):
            sender, device, message_id, identity, made_ms, is_due = ask
            book.add(Ask(sender, device, message_id, row, identity, made_ms, bool(is_due)))
        for number, *spent in await self._database.fetch(_BUDGETS):
            book.budgets[number] = Budget(*spent)
        book.debtors.update(number for (number,) in await self._database.fetch(_DEBTORS))

    def put_ask(self, unit: Unit, ask: Ask) -> None:
        unit.add(_PUT_ASK, ask.peer, ask.device, ask.id, ask.identity, ask.made_ms)

    def set_ask(self, unit: Unit, ask: Ask, identity: bytes, *, is_due: bool) -> None:
        unit.add(_SET_ASK, identity, int(is_due), ask.peer, ask.id)

    def delete_ask(self, unit: Unit, ask: Ask) -> None:
        unit.add(_DELETE_ASK, ask.peer, ask.id)

    def put_budget(self, unit: Unit, number: str, budget: Budget) -> None:
        unit.add(_PUT_BUDGET, number, budget.window_ms, budget.requests, budget.session_ms)

    def owe(self, unit: Unit, recipient: str, device: int, message_id: bytes, now_ms: int) -> None:
        """Note that a device asks for a message; once more only after it was resent."""
        unit.add(_OWE, recipient, message_id, device, now_ms)

    async def load_debts(self, recipient: str, limit: int) -> list[Debt]:
        """Return the first *limit* messages that are due to the devices of *recipient*."""
        debts = []
        for row in await self._database.fetch(_DEBTS, MAX_RESENDS, recipient, limit):
            message_id, device, times, at_ms, identity, state, sealed, resends = row
            sent = None if at_ms is None else Sent(identity, at_ms, state >= State.READ, times, resends + 1)
            debts.append(Debt(recipient, message_id, device, sent, self._open(message_id, sealed)))
        return debts

    def _open(self, message_id: bytes, sealed: bytes | None) -> bytes | None:
        try:
            return self._vault.open("outbox", message_id, sealed) if sealed else None
        except SealBroken:
            return None

    def settle(self, unit: Unit, debt: Debt) -> None:
        """Note that the relay has the resend, or that there will be none; its count stays."""
        unit.add(_SETTLE, debt.recipient, debt.id, debt.device)

    def forgive(self, unit: Unit, debt: Debt) -> None:
        """Drop what was asked for in vain, count and all."""
        unit.add(_FORGIVE, debt.recipient, debt.id, debt.device)

    def sweep(self, unit: Unit, debts_before_ms: int, budgets_before_ms: int) -> None:
        """Forget the counts of messages that are too old to be resent, and the budgets of past hours."""
        unit.add(_OLD_DEBTS, debts_before_ms)
        unit.add(_OLD_BUDGETS, budgets_before_ms, budgets_before_ms)
