"""The relay as a process: killed, locked out, lied to, and searched for what it must not have."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from corefast.errors import CorefastError, LinkLost, RemoteRefused
from corefast.net.client import parse_relay_url
from corefast.wire.codec import relay_codec
from corefast.wire.messages import Attach, PostState, SetPin
from tests.relay.party import Party, claim, envelope, envelope_id, play, upload
from tests.support import engine
from tests.support.programs import Program, free_port

SHOP, PHONE = "493023125000", "493023125001"


@asynccontextmanager
async def relay_process(folder: Path, *flags: str, port: int = 0):
    """A running relay and its URL; killed at the end, as nothing may depend on a clean stop."""
    command = ["corefast.relay", "--data-dir", str(folder), "--listen", f"127.0.0.1:{port}", *flags]
    program = await Program.start(*command, **engine.current.environ(folder, "relay"))
    try:
        yield program, (await program.fact(ready="relay"))["url"]
    finally:
        await program.kill()


def run_relay(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "corefast.relay", *arguments, "--data-dir", str(folder)]
    environ = os.environ | engine.current.environ(folder, "relay")
    return subprocess.run(command, capture_output=True, text=True, timeout=20, env=environ)


def test_nothing_stored_is_lost_when_the_relay_is_killed_under_load(tmp_path):
    async def main():
        port, total = free_port(), 1_200
        shop_key = phone_key = None
        taken: dict[bytes, PostState] = {}
        for round in range(3):
            async with relay_process(tmp_path, "--registration", "open", "--post-burst", "2000", port=port) as (
                program,
                url,
            ):
                shop, phone = await Party(url, shop_key).connect(), await Party(url, phone_key).connect()
                shop_key, phone_key = shop.key, phone.key
                await shop.register(SHOP), await phone.register(PHONE)
                await shop.attach()
                if round == 1:
                    await phone.attach()
                for name in range(round * 400, round * 400 + 400):
                    shop.post(envelope(name, PHONE))
                    await asyncio.sleep(0)
                wanted = 400 if round == 2 else random.Random(round).randint(50, 350)
                await shop.until(lambda: len(shop.results) >= wanted)  # noqa: B023
                program.process.send_signal(signal.SIGKILL)
                await shop.until(lambda: shop.is_lost)  # noqa: B023
                taken |= shop.results
        async with relay_process(tmp_path, "--registration", "open", "--post-burst", "2000", port=port) as (_, url):
            phone = await Party(url, phone_key).connect()
            phone.acks_itself = True
            await phone.attach()
            await phone.until(lambda: phone.drained_after)
            stored = {id for id, state in taken.items() if state == PostState.STORED}
            came = [item.id for item in phone.items]
            assert stored <= set(came) and len(stored) > total / 4
            assert came == sorted(set(came), key=int)

    play(main)


def test_code_is_issued_beside_the_running_relay_and_registers_once(tmp_path):
    async def main():
        async with relay_process(tmp_path) as (_, url):
            shop = await Party(url).connect()
            with pytest.raises(RemoteRefused):
                await shop.register(SHOP)
            issued = await asyncio.to_thread(run_relay, tmp_path, "issue-code", "+49 30 23125000")
            code = issued.stdout.split()[0]
            assert issued.returncode == 0 and "10 minutes" in issued.stdout
            await shop.register(SHOP, code=code)
            phone = await Party(url).connect()
            with pytest.raises(RemoteRefused):
                await phone.register(PHONE, code=code)

    play(main)


@pytest.mark.one_engine
def test_second_relay_on_the_same_folder_and_open_registration_beyond_loopback_are_refused(tmp_path):
    async def main():
        async with relay_process(tmp_path, "--registration", "open") as (program, _):
            second, public = await asyncio.gather(
                asyncio.to_thread(run_relay, tmp_path, "--listen", "127.0.0.1:0"),
                asyncio.to_thread(run_relay, tmp_path, "--listen", "0.0.0.0:0", "--registration", "open"),
            )
            assert second.returncode == public.returncode == 2
            assert str(program.process.pid) in second.stderr
            assert "loopback" in public.stderr and public.stderr.count("\n") == 1
            assert await program.stop() == 0

    play(main)


@pytest.mark.one_engine
def test_relay_keeps_its_url_and_its_files_private(tmp_path):
    async def main():
        port = free_port()
        async with relay_process(tmp_path, "--registration", "open", port=port) as (_, first):
            pass
        async with relay_process(tmp_path, "--registration", "open", port=port) as (_, second):
            assert first == second
        assert {(file.is_dir(), oct(file.stat().st_mode & 0o777)) for file in tmp_path.iterdir()} == {
            (False, "0o600"),
            (True, "0o700"),
        }

    play(main)


@pytest.mark.one_engine
def test_garbage_truncated_oversize_and_replayed_bytes_end_their_connection_and_no_other(tmp_path):
    async def main():
        chance = random.Random(7)
        async with relay_process(tmp_path, "--registration", "open") as (_, url):
            shop = await Party(url).join(SHOP)
            recorded = await _record(url)
            for hostile in (
                b"\x01" + chance.randbytes(5_000),
                chance.randbytes(300),
                b"\xff" * 64,
                b"\x01\xff\xff\xff" + bytes(4_000),
                b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n",
                recorded,
                recorded[: len(recorded) // 2],
                b"",
            ):
                reader, writer = await asyncio.open_connection(parse_relay_url(url).host, parse_relay_url(url).port)
                writer.write(hostile)
                if writer.can_write_eof():
                    writer.write_eof()
                with contextlib.suppress(OSError):  # cut off, perhaps before our own end
                    assert len(await asyncio.wait_for(reader.read(), 5)) < 400
                writer.close()
            await _still_served(shop)

    play(main)


async def _record(url: str) -> bytes:
    """Return every byte that a client sends when it registers a number: a handshake and a call."""
    target, sent = parse_relay_url(url), bytearray()

    async def forward(reader, writer) -> None:
        there, back = await asyncio.open_connection(target.host, target.port)

        async def copy(source, sink, keep) -> None:
            while data := await source.read(65_536):
                keep.extend(data)
                sink.write(data)
            sink.close()

        await asyncio.gather(copy(reader, back, sent), copy(there, writer, bytearray()))

    proxy = await asyncio.start_server(forward, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    party = Party(url)
    party.url = party.url._replace(port=port)
    await (await party.connect()).register("999000000001")
    await party.leave()
    proxy.close()
    return bytes(sent)


class RawCodec:
    """Sends bytes as they are, as if they were a message."""

    encode = staticmethod(bytes)
    decode = staticmethod(relay_codec.decode)


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\xc1",
        b"\x91" * 500_000,
        b"\x92\x63\x01",
        b"\x92\x03\xa2\xff\xfe",
        b"\x93\x0b\x00\x91\x95\xc4\x10",
        b"\xdf\xff\xff\xff\xff",
        b"\x92\x0e\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        os.urandom(1_000),
        relay_codec.encode(SetPin("p" * 65)),
        relay_codec.encode(claim("12")),
        relay_codec.encode(Attach(shards=[2**62, -1], next_token=bytes(16))),
        b"\x94\x02\x93\x01\x01\x01\x01\x01",
    ],
    ids=range(13),
)
def test_hostile_message_is_a_typed_error_and_the_next_request_is_served(relay, record):
    async def main():
        shop = await Party(relay).join(f"9990{random.randrange(10**6):06}")
        hostile = await Party(relay, codec=RawCodec()).connect()
        with pytest.raises(CorefastError) as caught:
            await hostile.peer.call(record, timeout_ms=3_000)
        assert isinstance(caught.value, (RemoteRefused, LinkLost)) and caught.value.code != "internal"
        await _still_served(shop)

    play(main)


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    """One relay for all who only talk to it."""
    command = [sys.executable, "-m", "corefast.relay", "--data-dir", str(tmp_path_factory.mktemp("relay"))]
    flags = ["--listen", "127.0.0.1:0", "--registration", "open"]
    with subprocess.Popen(command + flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split('"url":"')[1].split('"')[0]
        process.kill()
        log = process.stderr.read()
        assert "Traceback" not in log and "internal" not in log, log


async def _still_served(party: Party) -> None:
    assert (await party.peer.call(Attach())).address.device == 1


@pytest.mark.one_engine
def test_relay_has_no_body_on_its_disk_in_clear_and_nobody_in_its_log(tmp_path):
    """Bodies are ciphertext to the relay; here they are canaries, and after the ack its files are free of them."""

    async def main():
        flags = ("--registration", "open", "--log-level", "debug")
        async with relay_process(tmp_path, *flags) as (program, url):
            shop, phone = await Party(url).join(SHOP), await Party(url).connect()
            await phone.register(PHONE, prekeys=upload(3, 3))
            await shop.fetch(PHONE)
            await shop.peer.call(SetPin("canary-pin-8472"))
            shop.post(*(envelope(name, PHONE, b"canary-body-%d" % name) for name in range(50)))
            await shop.until(lambda: len(shop.results) == 50)
            shop.post(envelope("x", "4917139200000", b"canary-body"), envelope("y", PHONE, b"canary-body", version=9))
            await shop.until(lambda: len(shop.results) == 52)
            with pytest.raises(RemoteRefused):
                await phone.register(SHOP)
            phone.acks_itself = shop.acks_itself = True
            await phone.attach()
            await shop.until(lambda: len(shop.items) == 50)
            await phone.leave()
            assert await program.stop() == 0
            log = "\n".join(program.lines[1:] + program.errors)
            for secret in (SHOP, PHONE, "canary", envelope_id(7).hex(), shop.key.public.hex()):
                assert secret not in log
            for file in filter(Path.is_file, tmp_path.rglob("*")):
                assert b"canary-pin" not in file.read_bytes()
                assert b"canary-body" not in file.read_bytes(), file

    play(main)
