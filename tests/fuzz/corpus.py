"""The kept inputs of each target, packed in one file: `python -m tests.fuzz.corpus TARGET FOLDER` packs a folder."""

import lzma
import sys
from pathlib import Path

import msgspec

TARGETS = ("frame", "wire", "message", "bundle", "handshake", "snapshot", "group")
FOLDER = Path(__file__).parent.parent / "corpus"
MAX_INPUT = 4_096
"""A longer input is not kept: it shows nothing that a short one does not, and the tree stays small."""


def load(target: str) -> list[bytes]:
    packed = (FOLDER / f"{target}.xz").read_bytes()
    return msgspec.msgpack.decode(lzma.decompress(packed), type=list[bytes])


def save(target: str, inputs: list[bytes]) -> int:
    """Pack *inputs*, alike ones beside each other; return the size of the file."""
    kept = sorted({each for each in inputs if len(each) <= MAX_INPUT}, key=lambda each: (each[:2], len(each), each))
    FOLDER.mkdir(exist_ok=True)
    return (FOLDER / f"{target}.xz").write_bytes(lzma.compress(msgspec.msgpack.encode(kept), preset=9))


if __name__ == "__main__":
    name, folder = sys.argv[1:]
    inputs = [file.read_bytes() for file in Path(folder).iterdir()]
    print(f"{name}: {len(inputs)} inputs, {save(name, inputs):,} bytes")
