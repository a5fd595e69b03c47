"""What a server's error means to us: typed, and without the values that some of its texts show."""

import re
import ssl

from asyncmy.errors import MySQLError

from corefast.errors import StoreBusy, StoreConflict, StoreError, StoreFull

LOST = frozenset({1053, 1077, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 3169, 4031})
"""The server, or the network, ended the connection; asyncmy's own codes are in 2000 to 2999."""

AGAIN = {
    1205: "the database waited too long for a lock",
    1213: "the database met a deadlock",
    1020: "the database met a concurrent change",
    1180: "the database could not commit",
}
"""The transaction is over, and the same one may succeed."""

AWAY = {
    1040: "the database has no free connection",
    1203: "the database has no free connection",
    1226: "the database has no free connection",
    1047: "the database node is not ready",
    1290: "the database is read-only",
    1836: "the database is read-only",
}
"""Another connection, or the same one later, may succeed."""

_FULL = frozenset({3, 1021, 1026, 1114})
_NO_SPACE = re.compile(r"error:? (?:code )?28\b|[Nn]o space left")
_CONFLICT = frozenset({1062, 1586, 1859})
_DONE = frozenset({1050, 1051, 1060, 1061, 1091})
_REFUSED = frozenset({1044, 1045, 1049, 1698})
_HARMLESS = frozenset({1054, 1146, 1406, 1792})
"""Their texts name tables and columns, never values."""

_KEY = re.compile(r"for key '([^']*)'\s*$")


class Retry(Exception):
    """The same transaction may succeed later; *error* is what to say when it does not in time."""

    def __init__(self, error: StoreError, *, is_lost: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.is_lost = is_lost
        """The connection is of no further use."""


class Done(StoreError):
    """A table, column or key that a statement makes is there already, or the one that it drops is not."""


class Refused(Exception):
    """The server knows us not, or not for this database; says why."""


class Untrusted(Refused):
    """The server does not prove that it is the one we look for; says why."""


def code_of(error: BaseException) -> int:
    """Return the server's error number, 0 where the error is not the server's."""
    if isinstance(error, MySQLError) and error.args and isinstance(error.args[0], int):
        return 0 if 2000 <= error.args[0] < 3000 else error.args[0]
    return 0


def translate(error: BaseException) -> Exception:
    """Return a `Retry`, a `Refused` or a `StoreError` for what asyncmy raised."""
    code = code_of(error)
    text = str(error.args[1]) if code and len(error.args) > 1 else ""
    if (doubt := _doubt_of(error)) is not None:
        return Untrusted(f"its certificate does not convince: {doubt.verify_message.rstrip('.')}")
    if code == 0 or code in LOST:
        return Retry(StoreBusy("the database does not answer"), is_lost=True)
    if code in AGAIN:
        return Retry(StoreBusy(AGAIN[code]), is_lost=False)
    if code in AWAY:
        return Retry(StoreBusy(AWAY[code]), is_lost=True)
    if code in _REFUSED:
        return Refused(text)
    if code in _FULL or _NO_SPACE.search(text):
        return StoreFull("the database's disk is full")
    if code in _CONFLICT:
        key = _KEY.search(text)
        return StoreConflict(f"UNIQUE constraint failed: {key[1] if key else 'unknown'}")
    if code in _DONE:
        return Done(f"MySQL: {text} ({code})")
    return StoreError(f"MySQL: {text} ({code})" if code in _HARMLESS else f"MySQL: error {code}")


def _doubt_of(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return what TLS said against the server's certificate, if that is at the bottom of *error*."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error
