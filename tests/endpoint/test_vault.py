"""The vault: what was sealed opens for its own row only."""

import os
import stat
from itertools import count
from pathlib import Path

import pytest

from corefast.endpoint.vault import SEAL_OVERHEAD, Vault, load_master_key
from corefast.errors import SealBroken, SetupError

MASTER = bytes(range(32))


def numbered_random():
    """Return a random source that never repeats and is the same in each run."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def test_a_sealed_value_opens_for_its_row():
    vault = Vault(MASTER, os.urandom)
    for plaintext in (b"", b"hello", bytes(70_000)):
        sealed = vault.seal("message", b"row", plaintext)
        assert vault.open("message", b"row", sealed) == plaintext
        assert len(sealed) == len(plaintext) + SEAL_OVERHEAD


def test_a_later_process_opens_what_an_earlier_one_sealed():
    sealed = Vault(MASTER, os.urandom).seal("message", b"row", b"hello")
    assert Vault(MASTER, os.urandom).open("message", b"row", sealed) == b"hello"


def test_more_process_starts_than_the_cache_holds_still_open():
    values = [Vault(MASTER, os.urandom).seal("t", b"k", b"%d" % n) for n in range(300)]
    vault = Vault(MASTER, os.urandom)
    for _ in range(2):
        assert [vault.open("t", b"k", value) for value in values] == [b"%d" % n for n in range(300)]


def test_the_same_value_seals_to_different_bytes_each_time():
    vault = Vault(MASTER, numbered_random())
    assert len({vault.seal("t", b"k", b"same") for _ in range(100)}) == 100


@pytest.mark.parametrize("table, key", [("other", b"row"), ("message", b"row2"), ("message", b""), ("messager", b"ow")])
def test_a_value_moved_to_another_row_or_table_does_not_open(table, key):
    vault = Vault(MASTER, os.urandom)
    sealed = vault.seal("message", b"row", b"hello")
    with pytest.raises(SealBroken):
        vault.open(table, key, sealed)


def test_any_changed_byte_is_noticed():
    vault = Vault(MASTER, os.urandom)
    sealed = vault.seal("message", b"row", b"hello")
    for at in range(len(sealed)):
        broken = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(SealBroken):
            vault.open("message", b"row", broken)


def test_any_cut_is_noticed():
    vault = Vault(MASTER, os.urandom)
    sealed = vault.seal("message", b"row", b"hello")
    for size in range(len(sealed)):
        with pytest.raises(SealBroken):
            vault.open("message", b"row", sealed[:size])


def test_a_wrong_master_key_is_named_as_such():
    sealed = Vault(MASTER, os.urandom).seal("message", b"row", b"hello")
    with pytest.raises(SealBroken, match="another master key"):
        Vault(bytes(32), os.urandom).open("message", b"row", sealed)


def test_a_master_key_is_made_once_and_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "master.key"
    key = load_master_key(path, os.urandom)
    assert load_master_key(path, os.urandom) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["master.key"]


@pytest.mark.parametrize("text", ["", "short\n", "\xff", "!" * 43, "A" * 44])
def test_a_damaged_master_key_file_is_a_setup_error(tmp_path: Path, text: str):
    path = tmp_path / "master.key"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(SetupError):
        load_master_key(path, os.urandom)


def test_a_master_key_that_cannot_be_made_is_a_setup_error(tmp_path: Path):
    with pytest.raises(SetupError):
        load_master_key(tmp_path / "missing" / "master.key", os.urandom)
