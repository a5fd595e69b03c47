"""A backup of an account: who it is at the relay, and what was set; no message, no session, no prekey. Pure.

Encrypted under a password: the magic, 16 bytes of salt and 12 of nonce in clear, then AES-256-GCM of everything else,
under a key that argon2id makes of the password. Sessions are left out on purpose: a copy may not encrypt with a chain
that the original has used since.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Broken
from collections.abc import Callable

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corefast.errors import BackupInvalid, ParameterInvalid
from corefast.limits import MAX_BACKUP_BYTES
from corefast.wire.event import State

MAGIC = b"corefast backup 1\n"
SALT_BYTES, NONCE_BYTES = 16, 12
LEAST_CHARACTERS, MOST_CHARACTERS = 8, 256
MEMORY_KIB, ROUNDS, LANES = 65_536, 3, 1
"""RFC 9106's second choice for argon2id: a backup can be guessed at offline for years, and is made rarely."""


class KeptWebhook(msgspec.Struct, frozen=True):
    url: str
    secret: str
    statuses: tuple[State, ...]


class Kept(msgspec.Struct, frozen=True):
    """What a backup holds. *own_keys*: identity and registration id as `OwnKeys` encodes them; *settings* by name."""

    number: str
    shards: int
    own_keys: bytes
    link_key: bytes
    settings: dict[str, bytes]
    webhook: KeptWebhook | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


def check_password(password: str) -> None:
    """Raise `ParameterInvalid` where *password* protects nothing."""
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise ParameterInvalid(f"`password` has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")


def seal(kept: Kept, password: str, random: Callable[[int], bytes]) -> str:
    """Return the backup as base64url text; takes some 100 ms and 64 MiB."""
    salt, nonce = random(SALT_BYTES), random(NONCE_BYTES)
    head = MAGIC + salt
    sealed = AESGCM(_key(password, salt)).encrypt(nonce, _encode(kept), head)
    return urlsafe_b64encode(head + nonce + sealed).decode()


def open_sealed(data: str, password: str) -> Kept:
    """Return what `seal` was given; raise `BackupInvalid` for anything else, a wrong password too."""
    if len(data) > MAX_BACKUP_BYTES or not data.isascii():
        raise BackupInvalid("`data` is no backup of corefast")
    try:
        blob = urlsafe_b64decode(data)
    except (Base64Broken, ValueError):
        blob = b""
    at = len(MAGIC) + SALT_BYTES
    head, nonce, sealed = blob[:at], blob[at : at + NONCE_BYTES], blob[at + NONCE_BYTES :]
    if not head.startswith(MAGIC) or not sealed:
        raise BackupInvalid("`data` is no backup of corefast, or one of a later release")
    try:
        return _decode(AESGCM(_key(password, head[len(MAGIC) :])).decrypt(nonce, sealed, head))
    except InvalidTag:
        raise BackupInvalid("the backup is damaged, or `password` is another one") from None
    except (msgspec.DecodeError, ValueError):
        raise BackupInvalid("the backup is of another release") from None


def _key(password: str, salt: bytes) -> bytes:
    return hash_secret_raw(password.encode(), salt, ROUNDS, MEMORY_KIB, LANES, 32, Type.ID)
