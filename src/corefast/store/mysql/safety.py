"""Settings of the server without which an accepted message could be lost; refused, with the remedy."""

from corefast.errors import SetupError
from corefast.store.mysql.session import Session

_READ = (
    "SELECT @@global.innodb_flush_log_at_trx_commit, @@global.log_bin, @@global.sync_binlog, @@global.binlog_format,"
    " @@global.max_allowed_packet"
)
MIN_PACKET_BYTES = 8 << 20


async def check_settings(session: Session) -> None:
    """Raise `SetupError` where a commit is not durable on this server, or cannot be had."""
    [answer] = await session.run(_READ)
    assert answer.rows
    [(flush, log_bin, sync_binlog, binlog_format, packet)] = answer.rows
    if flush != 1:
        raise SetupError(
            f"the database does not fsync its commits (innodb_flush_log_at_trx_commit = {flush}):"
            " set innodb_flush_log_at_trx_commit = 1 in the server's configuration and restart it"
        )
    if log_bin and sync_binlog != 1:
        raise SetupError(
            f"the database does not fsync its binary log (sync_binlog = {sync_binlog}):"
            " set sync_binlog = 1 in the server's configuration and restart it"
        )
    if log_bin and binlog_format == "STATEMENT":
        raise SetupError(
            "the database's binary log cannot follow READ COMMITTED (binlog_format = STATEMENT):"
            " set binlog_format = ROW in the server's configuration and restart it"
        )
    if packet < MIN_PACKET_BYTES:
        raise SetupError(
            f"the database takes statements of {packet} bytes at most (max_allowed_packet):"
            f" set max_allowed_packet = 16M in the server's configuration and restart it"
        )
