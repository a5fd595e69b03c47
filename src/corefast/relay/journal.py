"""A development aid: what was posted, one JSON line for each envelope taken. Ciphertext only, but who wrote to whom."""

import base64
import os
from pathlib import Path

import msgspec

from corefast.errors import SetupError
from corefast.relay.mailbox import Item


class Journal:
    """An append-only file that is complete up to a kill."""

    def __init__(self, path: str | Path) -> None:
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SetupError(f"the journal {path} cannot be written: {error.strerror}") from None

    def put(self, item: Item) -> None:
        """Append one envelope."""
        line = {
            "id": base64.b64encode(item.id).decode(),
            "from": item.sender.address.id,
            "to": item.box.owner.address.id,
            "device": item.box.owner.address.device,
            "kind": item.kind,
            "body": base64.b64encode(item.body).decode(),
        }
        os.write(self._file, msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        os.close(self._file)
