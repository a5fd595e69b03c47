"""A device of Debian's libsignal-protocol-c in a process of its own, spoken to in lines of words."""

import subprocess
from pathlib import Path
from typing import Self

from corefast.protocol.bundle import PreKeyBundle

from .libsignal import PeerRefused

SOURCE = Path(__file__).with_name("libsignal_c.c")
WORDS = (
    "registration_id",
    "identity",
    "signed_id",
    "signed_public",
    "signed_signature",
    "one_time_id",
    "one_time_public",
)


def build(folder: Path) -> Path:
    """Compile the driver; needs the package libsignal-protocol-c-dev."""
    program = folder / "libsignal_c"
    flags = ("-O2", "-Wno-deprecated-declarations", "-I/usr/include/signal")
    subprocess.run(["cc", *flags, "-o", program, SOURCE, "-lsignal-protocol-c", "-lcrypto"], check=True)
    return program


class LibsignalCDevice:
    """One device with one session of version 3. A context manager: leaving it ends the process."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([self._program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def bundle(self, with_one_time: bool = True, with_kem: bool = False) -> PreKeyBundle:
        assert not with_kem
        words = [
            int(word) if word.isdecimal() and len(word) < 12 else bytes.fromhex(word) for word in self._ask("bundle")
        ]
        fields = dict(zip(WORDS, words, strict=True))
        if not with_one_time:
            fields |= {"one_time_id": None, "one_time_public": None}
        return PreKeyBundle(kem_id=None, kem_public=None, kem_signature=None, **fields)  # type: ignore[arg-type]

    def start(self, bundle: PreKeyBundle) -> None:
        self._ask("start", *(getattr(bundle, name) for name in WORDS))

    def encrypt(self, plaintext: bytes) -> tuple[int, bytes]:
        kind, body = self._ask("encrypt", plaintext)
        return int(kind), bytes.fromhex(body)

    def decrypt(self, kind: int, body: bytes) -> bytes:
        (plaintext,) = self._ask("decrypt", kind, body)
        return b"" if plaintext == "-" else bytes.fromhex(plaintext)

    def fingerprint(self, ours: tuple[bytes, bytes], theirs: tuple[bytes, bytes], version: int) -> tuple[str, bytes]:
        """Return what it shows and lets scan for two pairs of id and identity."""
        shown, scanned = self._ask("fingerprint", version, *ours, *theirs)
        return shown, bytes.fromhex(scanned)

    def matches(self, ours: tuple[bytes, bytes], theirs: tuple[bytes, bytes], version: int, scanned: bytes) -> bool:
        """Tell whether what the other side lets scan says the same to it."""
        (verdict,) = self._ask("compare", version, *ours, *theirs, scanned)
        return verdict == "1"

    def _ask(self, verb: str, *arguments: bytes | int | None) -> list[str]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(" ".join([verb, *map(_word, arguments)]) + "\n")
        stdin.flush()
        result, *words = stdout.readline().split()
        if result != "ok":
            raise PeerRefused(" ".join(words))
        return words


def _word(value: bytes | int | None) -> str:
    return (value.hex() or "-") if isinstance(value, bytes) else "-" if value is None else str(value)
