"""One message for all sends with the same idempotency key."""

import hashlib
import hmac

import msgspec

from corefast.core.context import Context
from corefast.core.ids import group_id, outbound_id
from corefast.errors import IdempotencyMismatch, IdempotencyRunning, ParameterInvalid
from corefast.limits import IDEMPOTENCY_LIFE_MS, MAX_IDEMPOTENCY_KEY_CHARACTERS
from corefast.store.database import Unit
from corefast.wire.gateway import Accepted, Idempotency


class Claim(msgspec.Struct, frozen=True):
    """A key in use: *digest* stands for scope and key, *fingerprint* for the request."""

    digest: bytes
    fingerprint: bytes


class Claims:
    """Keys of sends that are under way, in memory, and of accepted ones, in the table.

    Both digests are keyed: a dump of the database must not confirm a guessed body.
    """

    def __init__(self, context: Context, key: bytes) -> None:
        self._context = context
        self._key = key
        self._running: set[bytes] = set()

    async def begin(self, idempotency: Idempotency) -> Claim | Accepted:
        """Return a claim for the caller to `end`, or the earlier answer.

        Raises `IdempotencyRunning` while an equal key is under way and `IdempotencyMismatch` for another request.
        """
        if not 0 < len(idempotency.key) <= MAX_IDEMPOTENCY_KEY_CHARACTERS:
            raise ParameterInvalid(f"an idempotency key has 1 to {MAX_IDEMPOTENCY_KEY_CHARACTERS} characters")
        digest = self._digest(b"key", f"{idempotency.scope}\0{idempotency.key}".encode())
        claim = Claim(digest, self._digest(b"request", idempotency.fingerprint))
        if digest in self._running:
            raise IdempotencyRunning("a request with this idempotency key is under way")
        self._running.add(digest)
        try:
            earlier = await self._load(claim)
        except BaseException:
            self._running.discard(digest)
            raise
        if earlier is not None:
            self._running.discard(digest)
            return earlier
        return claim

    async def _load(self, claim: Claim) -> Accepted | None:
        since_ms = self._context.clock() - IDEMPOTENCY_LIFE_MS
        row = await self._context.idempotency.load(claim.digest, since_ms)
        if row is None:
            return None
        if row.fingerprint != claim.fingerprint:
            raise IdempotencyMismatch("this idempotency key was used for another request")
        ids = self._context.ids
        if row.group:
            return Accepted(outbound_id(ids.said_id(row.message)), group_id(row.group), replayed=True)
        return Accepted(outbound_id(ids.message_id(row.message)), row.number, replayed=True)

    def put(self, unit: Unit, claim: Claim, message: int, peer: int, at_ms: int) -> None:
        self._context.idempotency.put(unit, claim.digest, claim.fingerprint, message, peer, at_ms)

    def end(self, claim: Claim) -> None:
        """Note that the send is durable, or has failed."""
        self._running.discard(claim.digest)

    def _digest(self, label: bytes, value: bytes) -> bytes:
        return hmac.digest(self._key, label + b"\0" + value, hashlib.sha256)
