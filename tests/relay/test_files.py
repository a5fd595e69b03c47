"""Encrypted files at the relay: put in pieces, readable when whole, kept for their time and within limits."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest
from pytest import raises

from corefast.errors import BlobMismatch, RemoteRefused, SetupError
from corefast.limits import (
    BLOB_CHUNK_BYTES,
    BLOB_IDLE_MS,
    BLOB_LIFE_MS,
    BLOB_SLACK_MS,
    MAX_BLOB_BYTES,
    MAX_UPLOADS_OF_ONE,
)
from corefast.net.blob import BlobUpload, read_blob
from corefast.relay.blob import open_files
from corefast.relay.span import SPAN_BYTES
from corefast.wire.blob import GetBlob, KeepBlob, OpenBlob, PutBlob, TouchBlob

from ..support import s3
from .party import Clock, Party, play, relay_at

SHOP, PHONE = "493023125000", "491713920001"
FILE = os.urandom(3 * BLOB_CHUNK_BYTES + 7)


def name_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


async def phone_at(url: str, number: str = PHONE) -> Party:
    party = await Party(url).connect()
    await party.register(number)
    return party


async def put(party: Party, data: bytes) -> bytes:
    upload = await BlobUpload.open(party.peer)
    await upload.write(data)
    await upload.keep(name_of(data))
    return name_of(data)


async def get(party: Party, name: bytes, size: int = len(FILE)) -> bytes:
    return b"".join([piece async for piece in read_blob(party.peer, name, size)])


async def refusal(call) -> str:
    with raises(RemoteRefused) as caught:
        await call
    return caught.value.code


def stored(folder: Path) -> list[Path]:
    return [path for path in (folder / "blobs").rglob("*") if path.is_file()]


def test_a_file_comes_back_on_another_connection_and_after_a_restart(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            shop = await phone_at(url, SHOP)
            name = await put(shop, FILE)
            assert await get(await phone_at(url), name) == FILE
            one = await put(shop, b"x")
            assert await get(shop, one, 1) == b"x"
            with raises(BlobMismatch):
                await get(shop, one, 2)
            assert (tmp_path / "blobs").stat().st_mode & 0o077 == 0
        async with relay_at(tmp_path) as (_, url):
            again = await Party(url, shop.key).connect()
            assert await get(again, name) == FILE
            assert len(stored(tmp_path)) == 2

    play(main)


def test_a_file_is_not_readable_before_it_is_whole_and_right(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (relay, url):
            phone = await phone_at(url)
            name = name_of(FILE)
            half = await phone.peer.call(OpenBlob())
            await phone.peer.call(PutBlob(half.upload, 0, FILE[:BLOB_CHUNK_BYTES]))
            assert await refusal(phone.peer.call(GetBlob(name, 0))) == "blob.unknown"
            assert await refusal(phone.peer.call(KeepBlob(half.upload, name))) == "blob.mismatch"
            assert await refusal(phone.peer.call(PutBlob(half.upload, 0, b"x"))) == "blob.unknown"
            gap = await phone.peer.call(OpenBlob())
            assert await refusal(phone.peer.call(PutBlob(gap.upload, 1, b"x"))) == "parameter.invalid"
            large = await phone.peer.call(OpenBlob())
            piece = bytes(BLOB_CHUNK_BYTES + 1)
            assert await refusal(phone.peer.call(PutBlob(large.upload, 0, piece))) == "parameter.invalid"
            dropped = await BlobUpload.open(phone.peer)
            await dropped.write(FILE)
            dropped.drop()
            other = await phone_at(url, SHOP)
            left = await phone.peer.call(OpenBlob())
            assert await refusal(other.peer.call(PutBlob(left.upload, 0, b"x"))) == "blob.unknown"
            await phone.leave()
            while relay._files._uploads:
                await asyncio.sleep(0.01)
            assert stored(tmp_path) == [] and relay._files._used == {}

    play(main)


def test_what_a_killed_relay_left_half_way_is_removed_at_the_start(tmp_path):
    async def main():
        left = tmp_path / "blobs" / "incoming" / "0123#1"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half")
        async with relay_at(tmp_path):
            assert stored(tmp_path) == []

    play(main)


def test_nobody_without_a_number_puts_or_gets(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            shop = await phone_at(url, SHOP)
            name = await put(shop, FILE)
            stranger = await Party(url).connect()
            assert await refusal(stranger.peer.call(OpenBlob())) == "link.not_attached"
            assert await refusal(stranger.peer.call(GetBlob(name, 0))) == "link.not_attached"
            assert await refusal(shop.peer.call(GetBlob(b"../../etc/passwd", 0))) == "blob.unknown"
            assert await refusal(shop.peer.call(GetBlob(name, len(FILE)))) == "parameter.invalid"
            assert await refusal(shop.peer.call(GetBlob(name, -1))) == "parameter.invalid"

    play(main)


def test_a_file_is_kept_for_its_time_and_longer_when_its_owner_asks(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock) as (relay, url):
            shop, phone = await phone_at(url, SHOP), await phone_at(url)
            kept, left = await put(shop, FILE), await put(shop, b"left")
            clock.now_ms += BLOB_LIFE_MS
            await relay.sweep()
            await shop.peer.call(TouchBlob(kept))
            assert await refusal(phone.peer.call(TouchBlob(left))) == "blob.unknown"
            clock.now_ms += BLOB_SLACK_MS + 1
            await relay.sweep()
            assert await refusal(phone.peer.call(GetBlob(left, 0))) == "blob.unknown"
            assert await refusal(shop.peer.call(TouchBlob(left))) == "blob.unknown"
            assert await get(phone, kept) == FILE
            assert len(stored(tmp_path)) == 1 and relay._files._used == {SHOP: len(FILE)}

    play(main)


def test_a_file_that_is_prolonged_or_stored_anew_while_the_sweep_looks_at_it_stays(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock) as (relay, url):
            shop = await phone_at(url, SHOP)
            touched, again = await put(shop, FILE), await put(shop, b"again")
            clock.now_ms += BLOB_LIFE_MS + BLOB_SLACK_MS + 1
            find = relay._files._store.old

            async def find_and_be_late(before_ms, limit):
                names = await find(before_ms, limit)
                if names:
                    await shop.peer.call(TouchBlob(touched))
                    await put(shop, b"again")
                return names

            relay._files._store.old = find_and_be_late
            await relay.sweep()
            assert (await get(shop, touched), await get(shop, again, 5)) == (FILE, b"again")
            assert len(stored(tmp_path)) == 2 and relay._files._used == {SHOP: len(FILE) + 5}

    play(main)


def test_a_file_that_is_being_removed_is_not_prolonged_and_what_is_stored_in_its_place_stays(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock) as (relay, url):
            shop = await phone_at(url, SHOP)
            touched, again = await put(shop, FILE), await put(shop, b"again")
            clock.now_ms += BLOB_LIFE_MS + BLOB_SLACK_MS + 1
            remove, calls = relay._files._files.delete, {}

            async def remove_and_be_slow(name):
                call = shop.peer.call(TouchBlob(touched)) if name == touched else put(shop, b"again")
                calls[name] = asyncio.ensure_future(call)
                async with asyncio.timeout(20):
                    while not relay._files._turn(name)._waiters:
                        await asyncio.sleep(0.001)
                await remove(name)

            relay._files._files.delete = remove_and_be_slow
            await relay.sweep()
            assert await refusal(calls[touched]) == "blob.unknown"
            await calls[again]
            assert await get(shop, again, 5) == b"again"
            assert len(stored(tmp_path)) == 1 and relay._files._used == {SHOP: 5}

    play(main)


def test_a_number_stores_up_to_its_quota_and_the_same_file_once(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock, blob_quota_mb=1) as (relay, url):
            phone = await phone_at(url)
            for _ in range(3):
                await put(phone, FILE)
            assert relay._files._used == {PHONE: len(FILE)}
            assert await refusal(put(phone, bytes(1_048_576))) == "blob.quota"
            assert relay._files._used == {PHONE: len(FILE)}
            shop = await phone_at(url, SHOP)
            await put(shop, FILE)
            assert relay._files._used == {SHOP: len(FILE)}
            clock.now_ms += BLOB_LIFE_MS + BLOB_SLACK_MS + 1
            await relay.sweep()
            assert relay._files._used == {}

    play(main)


def test_files_on_their_way_are_few_and_end_when_nobody_goes_on(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock) as (relay, url):
            phone = await phone_at(url)
            for _ in range(MAX_UPLOADS_OF_ONE):
                await phone.peer.call(OpenBlob())
            assert await refusal(phone.peer.call(OpenBlob())) == "overloaded"
            clock.now_ms += BLOB_IDLE_MS + 1
            await relay.sweep()
            assert relay._files._uploads == {}
            codes = [await refusal_or_none(phone, clock) for _ in range(120)]
            assert codes[0] is None and codes[-1] == "rate.limited"

    async def refusal_or_none(phone, clock):
        try:
            await (await BlobUpload.open(phone.peer))._peer.call(PutBlob(-1, 0, b"x"))
        except RemoteRefused as error:
            if error.code == "blob.unknown":
                for upload in range(200):
                    phone.peer.call_soon_result(KeepBlob(upload, b""), lambda result: None)
                return None
            return error.code

    play(main)


@pytest.mark.one_engine
def test_a_file_has_its_largest_size_and_not_a_byte_more(tmp_path, monkeypatch):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            phone = await phone_at(url)
            monkeypatch.setattr("corefast.relay.files.MAX_BLOB_BYTES", len(FILE))
            assert await get(phone, await put(phone, FILE)) == FILE
            assert await refusal(put(phone, FILE + b"x")) == "blob.too_large"
            assert MAX_BLOB_BYTES < 101 * 1_048_576

    play(main)


@pytest.mark.one_engine
def test_a_bucket_holds_the_files_where_one_is_named(tmp_path, monkeypatch):
    async def main():
        async with s3.bucket() as bucket:
            for name, value in bucket.environ.items():
                monkeypatch.setenv(name, value)
            bucket.objects["relay/incoming/left"] = b"half"
            async with relay_at(tmp_path, blob_store=f"s3://{s3.BUCKET}/relay") as (_, url):
                assert bucket.objects == {}
                phone = await phone_at(url)
                data = os.urandom(6_000_000)
                name = await put(phone, data)
                assert bucket.objects == {f"relay/{name[:1].hex()}/{name.hex()}": data} and not bucket.parts
                assert await get(phone, name, len(data)) == data
                assert bucket.reads == -(-len(data) // SPAN_BYTES)  # pieces that lie together come in one request
                odd = await asyncio.gather(
                    *(phone.peer.call(GetBlob(name, at)) for at in (SPAN_BYTES - 7, 3, len(data) - 5))
                )
                assert [part.data for part in odd] == [
                    data[at : at + BLOB_CHUNK_BYTES] for at in (SPAN_BYTES - 7, 3, len(data) - 5)
                ]
                assert not (tmp_path / "blobs").exists()
                bucket.objects.clear()
                assert await refusal(phone.peer.call(GetBlob(name, 0))) == "blob.unknown"

    play(main)


@pytest.mark.one_engine
def test_a_bucket_that_is_away_refuses_files_and_lets_the_relay_start_and_is_used_once_it_is_back(
    tmp_path, monkeypatch
):
    async def main():
        async with s3.bucket() as bucket:
            for name, value in bucket.environ.items():
                monkeypatch.setenv(name, value)
            bucket.is_away = True
            async with relay_at(tmp_path, blob_store=f"s3://{s3.BUCKET}/relay") as (relay, url):
                phone = await phone_at(url)
                assert await refusal(put(phone, FILE)) == "store.busy"
                assert relay._files._used == {} and not relay._files._uploads
                bucket.is_away = False
                name = await put(phone, FILE)
                bucket.is_away = True
                assert await refusal(get(phone, name)) == "store.busy"
                bucket.is_away = False
                assert await get(phone, name) == FILE

    play(main)


@pytest.mark.one_engine
def test_a_place_that_is_none_is_refused_at_the_start(tmp_path):
    with raises(SetupError, match="s3://"):
        open_files("ftp://attic", tmp_path, os.urandom)
