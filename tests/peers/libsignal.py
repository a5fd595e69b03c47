"""A libsignal device in a Node process, spoken to in JSON lines."""

import json
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any, Self

from corefast.protocol.bundle import PreKeyBundle

DRIVER = Path(__file__).with_name("libsignal.mjs")
KEYS = ("identity", "signed_public", "signed_signature", "kem_public", "kem_signature", "one_time_public")


class PeerRefused(Exception):
    """libsignal raised; the text names its error."""


class LibsignalDevice:
    """One device with one session. A context manager: leaving it ends the process."""

    def __init__(self, release: str) -> None:
        self.release = release

    def __enter__(self) -> Self:
        command = ["node", str(DRIVER), self.release]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def bundle(self, with_one_time: bool = True, with_kem: bool = True) -> PreKeyBundle:
        answer = self._ask("bundle", with_one_time=with_one_time, with_kem=with_kem)
        return PreKeyBundle(**{name: _bytes(value) if name in KEYS else value for name, value in answer.items()})

    def start(self, bundle: PreKeyBundle) -> None:
        fields = {name: getattr(bundle, name) for name in bundle.__struct_fields__}
        self._ask("start", **{name: _text(value) if name in KEYS else value for name, value in fields.items()})

    def encrypt(self, plaintext: bytes) -> tuple[int, bytes]:
        answer = self._ask("encrypt", plaintext=_text(plaintext))
        return answer["kind"], b64decode(answer["body"])

    def decrypt(self, kind: int, body: bytes) -> bytes:
        return b64decode(self._ask("decrypt", kind=kind, body=_text(body))["plaintext"])

    def group_create(self, group: str, *, renew: bool = False) -> bytes:
        """Return a distribution message for the group of that UUID, of a new chain where there is none or *renew*."""
        return b64decode(self._ask("group_create", group=group, renew=renew)["message"])

    def group_join(self, distribution: bytes) -> None:
        self._ask("group_join", message=_text(distribution))

    def group_encrypt(self, group: str, plaintext: bytes) -> bytes:
        return b64decode(self._ask("group_encrypt", group=group, plaintext=_text(plaintext))["message"])

    def group_decrypt(self, message: bytes) -> bytes:
        return b64decode(self._ask("group_decrypt", message=_text(message))["plaintext"])

    def fingerprint(self, ours: tuple[bytes, bytes], theirs: tuple[bytes, bytes], version: int) -> tuple[str, bytes]:
        """Return what libsignal shows and lets scan for two pairs of id and identity."""
        (our_id, our_key), (their_id, their_key) = ours, theirs
        keys = {"our_id": our_id, "our_key": our_key, "their_id": their_id, "their_key": their_key}
        answer = self._ask("fingerprint", version=version, **{name: _text(value) for name, value in keys.items()})
        return answer["shown"], b64decode(answer["scanned"])

    def seal_file(self, key: bytes, info: bytes, file: bytes) -> tuple[bytes, bytes]:
        """Return the encrypted file and its SHA-256."""
        answer = self._ask("media_seal", key=_text(key), info=info.decode(), file=_text(file))
        return b64decode(answer["sealed"]), b64decode(answer["hash"])

    def open_file(self, key: bytes, info: bytes, sealed: bytes) -> bytes:
        return b64decode(self._ask("media_open", key=_text(key), info=info.decode(), sealed=_text(sealed))["file"])

    def sign(self, message: bytes) -> tuple[bytes, bytes]:
        """Return (identity, signature)."""
        answer = self._ask("sign", message=_text(message))
        return b64decode(answer["identity"]), b64decode(answer["signature"])

    def verifies(self, identity: bytes, message: bytes, signature: bytes) -> bool:
        answer = self._ask("verify", identity=_text(identity), message=_text(message), signature=_text(signature))
        return bool(answer["valid"])

    def _ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps({"action": action, **arguments}) + "\n")
        stdin.flush()
        answer: dict[str, Any] = json.loads(stdout.readline())
        if "error" in answer:
            raise PeerRefused(answer["error"])
        return answer


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else b64decode(value)


def _text(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode()
