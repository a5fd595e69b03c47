"""Seals keys and bodies for a database, so that its dump shows neither.

A sealed value is

    version (1) | master key id (4) | salt of the process start (12) | counter (6) | AES-256-GCM ciphertext and tag

Its key is HKDF-SHA256(master, salt), its nonce the counter, which starts at 0 under a fresh random salt: no nonce is
ever used twice and none has to be remembered. The additional data is the format version, the table and the row's key,
so a value moved to another row or table does not open.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Broken
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from corefast.errors import CiphertextInvalid, SealBroken, SetupError
from corefast.native.aead import AesGcm
from corefast.native.kdf import hkdf_sha256

MASTER_KEY_BYTES = 32

_VERSION = 1
_SALT_AT, _COUNTER_AT, _CIPHERTEXT_AT = 5, 17, 23
_TAG_BYTES = 16
_NONCE_PAD = bytes(6)

SEAL_OVERHEAD = _CIPHERTEXT_AT + _TAG_BYTES
"""Bytes that a sealed value is longer than its plaintext."""

MAX_CACHED_SUBKEYS = 256
"""Subkeys of earlier process starts kept ready; a further one costs a derivation (3 us)."""


class Vault:
    """Seals and opens values under one master key."""

    def __init__(self, master_key: bytes, random: Callable[[int], bytes]) -> None:
        if len(master_key) != MASTER_KEY_BYTES:
            raise SealBroken(f"a master key has {MASTER_KEY_BYTES} bytes")
        self._master_key = master_key
        salt = random(_COUNTER_AT - _SALT_AT)
        key_id = hkdf_sha256(master_key, b"", b"corefast vault key id", _SALT_AT - 1)
        self._lead = bytes([_VERSION]) + key_id
        self._head = self._lead + salt
        self._seal = self._subkey(salt).seal
        self._count = 0
        self._tables: dict[str, bytes] = {}
        self._subkeys: OrderedDict[bytes, AesGcm] = OrderedDict()

    def seal(self, table: str, key: bytes, plaintext: bytes) -> bytes:
        """Return *plaintext* sealed for the row *key* of *table*."""
        self._count = count = self._count + 1
        counter = count.to_bytes(6, "big")
        prefix = self._tables.get(table) or self._table_prefix(table)
        return self._head + counter + self._seal(_NONCE_PAD + counter, plaintext, prefix + key)

    def open(self, table: str, key: bytes, sealed: bytes) -> bytes:
        """Return what was sealed for exactly this row; raise `SealBroken` for anything else."""
        if len(sealed) < SEAL_OVERHEAD or sealed[0] != _VERSION:
            raise SealBroken("a sealed value is cut off or of an unknown version")
        if sealed[:_SALT_AT] != self._lead:
            raise SealBroken("a value is sealed under another master key; is the right master key file in place?")
        subkey = self._cached_subkey(sealed[_SALT_AT:_COUNTER_AT])
        nonce = _NONCE_PAD + sealed[_COUNTER_AT:_CIPHERTEXT_AT]
        prefix = self._tables.get(table) or self._table_prefix(table)
        try:
            return subkey.open(nonce, sealed[_CIPHERTEXT_AT:], prefix + key)
        except CiphertextInvalid:
            raise SealBroken("a sealed value was changed, or belongs to another row") from None

    def _table_prefix(self, table: str) -> bytes:
        # The row's key follows as the only part without a length of its own, so no two (table, key) read the same.
        name = table.encode()
        self._tables[table] = prefix = bytes([_VERSION, len(name)]) + name
        return prefix

    def _cached_subkey(self, salt: bytes) -> AesGcm:
        subkey = self._subkeys.get(salt)
        if subkey is None:
            self._subkeys[salt] = subkey = self._subkey(salt)
            if len(self._subkeys) > MAX_CACHED_SUBKEYS:
                self._subkeys.popitem(last=False)
        else:
            self._subkeys.move_to_end(salt)
        return subkey

    def _subkey(self, salt: bytes) -> AesGcm:
        return AesGcm(hkdf_sha256(self._master_key, salt, b"corefast vault subkey", 32))


def load_master_key(path: str | os.PathLike[str], random: Callable[[int], bytes]) -> bytes:
    """Return the master key in the file *path*, one base64url line; make the file (0600) when there is none."""
    file = Path(path)
    try:
        text = file.read_text(encoding="ascii")
    except FileNotFoundError:
        return _create_master_key(file, random)
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"the master key file {file} cannot be read: {error}") from None
    try:
        key = urlsafe_b64decode(text.strip() + "==")
    except (Base64Broken, ValueError):
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        raise SetupError(f"the master key file {file} must hold one line: 32 bytes in base64url")
    return key


def _create_master_key(file: Path, random: Callable[[int], bytes]) -> bytes:
    """Write a new key under a temporary name first: a crash leaves no half a key, and a race one winner."""
    key = random(MASTER_KEY_BYTES)
    draft = file.with_name(f".{file.name}.{random(4).hex()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as out:
            out.write(urlsafe_b64encode(key).rstrip(b"=") + b"\n")
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return load_master_key(file, random)
        finally:
            os.unlink(draft)
        _sync_directory(file.parent)
    except OSError as error:
        raise SetupError(f"the master key file {file} cannot be made: {error}") from None
    return key


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
