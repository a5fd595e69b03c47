"""What we ask peers for once more, and what they ask us for."""

from typing import Any, NamedTuple

from corefast.core.store.messages import open_body
from corefast.endpoint.resend import Ask, Book, Budget, Sent
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.limits import MAX_RESENDS
from corefast.store.database import Database, Statement, Unit


class Debt(NamedTuple):
    """A message that a device asks for; *sent* is None where it is none of ours to that peer."""

    message: int
    device: int
    sent: Sent | None
    plaintext: bytes | None
    """None where the row is damaged."""


class ResendStore:
    """Asks, debts and budgets."""

    def __init__(self, database: Database, vault: Vault, account: int) -> None:
        self._database = database
        self._vault = vault
        self._account = account

    _ASKS = Statement(
        "SELECT p.number, a.device, a.remote_id, a.id, a.identity, a.made_ms, a.is_due"
        " FROM ask a JOIN peer p ON p.id = a.peer WHERE a.account = ? ORDER BY a.id"
    )
    _BUDGETS = Statement(
        "SELECT p.number, b.window_ms, b.requests, b.session_ms"
        " FROM ask_budget b JOIN peer p ON p.id = b.peer WHERE b.account = ?"
    )
    _DEBTORS = Statement(
        "SELECT DISTINCT p.number FROM debt d JOIN peer p ON p.id = d.peer WHERE d.account = ? AND d.is_due = 1"
    )

    async def load(self, book: Book) -> None:
        """Put what is stored into *book*."""
        for number, device, remote_id, row, identity, made_ms, is_due in await self._database.fetch(
            self._ASKS, self._account
        ):
            book.add(Ask(number, device, remote_id, row, identity, made_ms, bool(is_due)))
        for number, *spent in await self._database.fetch(self._BUDGETS, self._account):
            book.budgets[number] = Budget(*spent)
        book.debtors.update(number for (number,) in await self._database.fetch(self._DEBTORS, self._account))

    _PUT_ASK = Statement(
        "INSERT INTO ask (id, account, peer, device, remote_id, identity, made_ms, is_due)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 1)"
    )

    def put_ask(self, unit: Unit, peer: int, ask: Ask) -> None:
        unit.add(self._PUT_ASK, ask.row, self._account, peer, ask.device, ask.id, ask.identity, ask.made_ms)

    _SET_ASK = Statement("UPDATE ask SET identity = ?, is_due = ? WHERE id = ?")

    def set_ask(self, unit: Unit, row: int, identity: bytes, *, is_due: bool) -> None:
        unit.add(self._SET_ASK, identity, int(is_due), row)

    _DELETE_ASK = Statement("DELETE FROM ask WHERE id = ?")

    def delete_ask(self, unit: Unit, row: int) -> None:
        unit.add(self._DELETE_ASK, row)

    _PUT_BUDGET = Statement(
        "INSERT INTO ask_budget (peer, account, window_ms, requests, session_ms) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (peer) DO UPDATE SET window_ms = excluded.window_ms, requests = excluded.requests,"
        " session_ms = excluded.session_ms",
        "INSERT INTO ask_budget (peer, account, window_ms, requests, session_ms) VALUES (?, ?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE window_ms = VALUES(window_ms), requests = VALUES(requests),"
        " session_ms = VALUES(session_ms)",
    )

    def put_budget(self, unit: Unit, peer: int, budget: Budget) -> None:
        unit.add(self._PUT_BUDGET, peer, self._account, budget.window_ms, budget.requests, budget.session_ms)

    _OWE = Statement(
        "INSERT INTO debt (message, device, account, peer, times, is_due, made_ms) VALUES (?, ?, ?, ?, 1, 1, ?)"
        " ON CONFLICT (message, peer, device) DO UPDATE SET times = min(times + (is_due = 0), 99), is_due = 1",
        "INSERT INTO debt (message, device, account, peer, times, is_due, made_ms) VALUES (?, ?, ?, ?, 1, 1, ?)"
        " ON DUPLICATE KEY UPDATE times = least(times + (is_due = 0), 99), is_due = 1",
    )

    def owe(self, unit: Unit, peer: int, device: int, message: int, now_ms: int) -> None:
        """Note that a device asks for a message; once more only after it was resent."""
        unit.add(self._OWE, message, device, self._account, peer, now_ms)

    _OF_DEBT = (
        "SELECT d.message, d.device, d.times, m.accepted_ms, m.identity, m.read_ms, m.ended_ms, m.sealed, g.id,"
        " g.sealed,"
    )
    _OF_PEER = (
        " FROM debt d LEFT JOIN message m ON m.id = d.message AND m.peer = d.peer"
        " LEFT JOIN group_part p ON p.message = m.id LEFT JOIN group_message g ON g.id = p.group_message"
        " WHERE d.peer = ? AND d.is_due = 1 ORDER BY d.message LIMIT ?"
    )
    _DEBTS = Statement(
        _OF_DEBT  # noqa: S608
        + " (SELECT sum(min(e.times - e.is_due, ?)) FROM debt e WHERE e.message = d.message AND e.peer = d.peer)"
        + _OF_PEER,
        _OF_DEBT  # noqa: S608
        + " (SELECT sum(least(e.times - e.is_due, ?)) FROM debt e WHERE e.message = d.message AND e.peer = d.peer)"
        + _OF_PEER,
    )

    async def load_debts(self, peer: int, limit: int) -> list[Debt]:
        """Return the first *limit* messages that are due to the devices of *peer*."""
        debts = []
        for row in await self._database.fetch(self._DEBTS, MAX_RESENDS, peer, limit):
            message, device, times, at_ms, identity, read_ms, ended_ms, sealed, *shared, resends = row
            sent = None
            if at_ms is not None:
                sent = Sent(identity, at_ms, read_ms is not None or ended_ms is not None, times, int(resends) + 1)
            debts.append(Debt(message, device, sent, self._open(message, sealed, shared)))
        return debts

    def _open(self, message: int, sealed: bytes | None, shared: list[Any]) -> bytes | None:
        try:
            return None if sealed is None else open_body(self._vault, message, sealed, shared)
        except SealBroken:
            return None

    _SETTLE = Statement("UPDATE debt SET is_due = 0 WHERE message = ? AND peer = ? AND device = ?")

    def settle(self, unit: Unit, peer: int, debt: Debt) -> None:
        """Note that the relay has the resend, or that there will be none; its count stays."""
        unit.add(self._SETTLE, debt.message, peer, debt.device)

    _FORGIVE = Statement("DELETE FROM debt WHERE message = ? AND peer = ? AND device = ?")

    def forgive(self, unit: Unit, peer: int, debt: Debt) -> None:
        """Drop what was asked for in vain, count and all."""
        unit.add(self._FORGIVE, debt.message, peer, debt.device)

    _OLD_DEBTS = Statement("DELETE FROM debt WHERE account = ? AND made_ms < ?")
    _OLD_BUDGETS = Statement("DELETE FROM ask_budget WHERE account = ? AND window_ms < ? AND session_ms < ?")

    def sweep(self, unit: Unit, debts_before_ms: int, budgets_before_ms: int) -> None:
        """Forget the counts of messages that are too old to be resent, and the budgets of past hours."""
        unit.add(self._OLD_DEBTS, self._account, debts_before_ms)
        unit.add(self._OLD_BUDGETS, self._account, budgets_before_ms, budgets_before_ms)
