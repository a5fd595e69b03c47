"""Rows of attachments: which copy of an account may send, and how far it has come. A phone's has the shard -1."""

from corefast.store.database import Database, Op, Row, Statement

_LOAD = Statement("SELECT device, shard, token, commit_seq FROM attachment")
_PUT = Statement("REPLACE INTO attachment (device, shard, token, commit_seq) VALUES (?, ?, ?, ?)")


class AttachmentStore:
    """One row a device and shard."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> list[Row]:
        """Return all rows (device, shard, token, commit_seq)."""
        return await self._database.fetch(_LOAD)


def put(device: int, shard: int, token: bytes, commit_seq: int) -> Op:
    """Return the operation that makes this the durable state."""
    return _PUT, (device, shard, token, commit_seq), None
