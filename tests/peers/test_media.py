"""Files with a second implementation: libsignal's HKDF and Node's ciphers, both ways."""

import os
from hashlib import sha256

from pytest import mark, raises

from corefast.errors import CiphertextInvalid
from corefast.protocol.media import MediaKind, MediaOpener, MediaSealer

from .libsignal import PeerRefused


@mark.parametrize("kind", list(MediaKind))
def test_files_of_every_kind_and_size_are_read_by_both(any_peer, kind):
    for size in (0, 1, 15, 16, 17, 4_096, 100_001):
        key, file = os.urandom(32), os.urandom(size)
        sealer = MediaSealer(key, kind)
        ours = sealer.update(file) + sealer.finish()
        assert any_peer.open_file(key, kind.value, ours) == file
        theirs, file_hash = any_peer.seal_file(key, kind.value, file)
        assert (theirs, file_hash) == (ours, sealer.file_hash)
        opener = MediaOpener(key, kind, sha256(file).digest())
        assert opener.update(theirs) + opener.finish() == file


@mark.parametrize("place", [0, 500, -1])
def test_changed_file_is_refused_by_both(any_peer, place):
    key, kind = os.urandom(32), MediaKind.IMAGE
    sealed, _ = any_peer.seal_file(key, kind.value, bytes(1_000))
    changed = bytearray(sealed)
    changed[place] ^= 1
    with raises(PeerRefused):
        any_peer.open_file(key, kind.value, bytes(changed))
    opener = MediaOpener(key, kind)
    with raises(CiphertextInvalid):
        opener.update(bytes(changed)), opener.finish()
