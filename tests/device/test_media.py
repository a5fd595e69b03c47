"""A phone's files: put, named in a message, got back and proved by another phone, over a real relay."""

import os
from pathlib import Path

import msgspec
from pytest import raises

from corefast.device import Ready
from corefast.errors import MediaDamaged, MediaTooLarge, MediaUnfit, RemoteRefused
from corefast.limits import MAX_MEDIA_BYTES
from tests.device.world import run, world


def test_a_file_goes_from_one_phone_to_another_and_only_a_proved_one_appears(tmp_path: Path):
    async def story():
        async with world(tmp_path) as made, made.device(made.alice) as alice, made.device(made.bob) as bob:
            await alice.until(Ready)
            await bob.until(Ready)
            source, target = tmp_path / "source", tmp_path / "target"
            data = os.urandom(300_001)
            source.write_bytes(data)
            medium = await alice.device.files.put(source, "image/jpeg")
            assert medium.size == len(data) and medium.mime == "image/jpeg"
            await bob.device.files.get(medium, target)
            assert target.read_bytes() == data and target.stat().st_mode & 0o777 == 0o600
            stored = b"".join(path.read_bytes() for path in (tmp_path / "relay").rglob("*") if path.is_file())
            assert data[:32] not in stored and data[-32:] not in stored

            wrong = [
                msgspec.structs.replace(medium, key=bytes(32)),
                msgspec.structs.replace(medium, sha256=bytes(32)),
                msgspec.structs.replace(medium, size=len(data) - 1),
                msgspec.structs.replace(medium, mime="video/mp4"),
                msgspec.structs.replace(medium, mime="../x"),
            ]
            for each in wrong:
                with raises(MediaDamaged):
                    await bob.device.files.get(each, tmp_path / "wrong")
            with raises(RemoteRefused) as caught:
                await bob.device.files.get(msgspec.structs.replace(medium, blob=bytes(32)), tmp_path / "wrong")
            assert caught.value.code == "blob.unknown"
            source.write_bytes(b"")
            with raises(MediaUnfit):
                await alice.device.files.put(source, "image/jpeg")
            with raises(MediaUnfit):
                await alice.device.files.put(source, "no type")
            os.truncate(source, MAX_MEDIA_BYTES + 1)
            with raises(MediaTooLarge):
                await alice.device.files.put(source, "image/jpeg")
            assert [name for name in os.listdir(tmp_path) if name == "wrong" or name.endswith(".part")] == []

    run(story)
