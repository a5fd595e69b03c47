"""An older copy of a phone's home: refused where it could use a message key twice, let in on its owner's word."""

import shutil
import sqlite3

import pytest

from corefast.device import Device, MessageReceived, Options, Ready, StatusChanged, Stopped
from corefast.device.connection import Connection
from corefast.device.profile import Profile
from corefast.device.store.outbox import State
from corefast.protocol.message import PreKeySignalMessage, SignalMessage
from corefast.wire.messages import Kind, PostBatch
from tests.device.test_resend import talk
from tests.device.world import World, run, world


def back_up(w, number, name):
    """Copy a phone's home as it is at this moment, also while the phone is on; return the copy's name."""
    w.home(name).mkdir()
    shutil.copy(w.home(number) / "master.key", w.home(name))
    with (
        sqlite3.connect(w.home(number) / "phone.sqlite") as source,
        sqlite3.connect(w.home(name) / "phone.sqlite") as target,
    ):
        source.backup(target)
    source.close(), target.close()
    return name


@pytest.fixture
def posted(monkeypatch):
    """All ciphertexts that phones of this process gave to the relay."""
    bodies = {}
    notify = Connection.notify

    def watching(self, message):
        if isinstance(message, PostBatch) and self.peer is not None:
            bodies.update((part.body, part.kind) for post in message.posts for part in post.parts)
        notify(self, message)

    monkeypatch.setattr(Connection, "notify", watching)
    return bodies


def positions(bodies):
    """Return ratchet key and counter of each ciphertext: what no two may share."""
    inner = [body if kind == Kind.WHISPER else PreKeySignalMessage.parse(body).message for body, kind in bodies.items()]
    return [(message.ratchet_key, message.counter) for message in map(SignalMessage.parse, inner)]


async def encrypt_offline(w, home, count):
    """Have a phone encrypt messages that nobody sees."""
    device = await Device.open(w.home(home), None, w.alice)
    for n in range(count):
        message_id = await device.send_text(w.bob, f"offline {n}")
        while (await device.status(message_id))[0] is not State.ENCRYPTED:
            pass
    await device.close()


async def send(author, reader, text):
    await author.device.send_text(reader.device.number, text)
    await reader.until(MessageReceived, text=text)
    await author.until(StatusChanged, status="delivered")


@pytest.mark.parametrize("since", ["it attached again", "it wrote a message"])
def test_older_copy_is_refused_and_goes_on_with_new_sessions_on_its_owners_word(tmp_path, posted, since):
    async def main():
        async with world(tmp_path) as w, w.device(w.bob) as bob:  # a relay of its own, to be killed
            async with w.device(w.alice) as alice:
                await alice.until(Ready)
                await talk(alice, bob)
                older = back_up(w, w.alice, "older")
                if since == "it wrote a message":
                    await send(alice, bob, "after the copy")
            if since == "it attached again":
                async with w.device(w.alice) as alice:
                    await alice.until(Ready)
                await w.restart_relay()
            await encrypt_offline(w, older, 3)
            async with w.device(w.alice, older) as copy:
                await copy.device.send_text(w.bob, "of the copy")
                [end] = await copy.until(Stopped)
                assert end.code == "attach.superseded" and "--adopt-restored" in end.text
            async with w.device(w.alice, older, adopt_restored=True) as copy:
                await bob.until(MessageReceived, text="of the copy")
                await send(bob, copy, "welcome back")
            async with w.device(w.alice, older) as copy:
                await send(copy, bob, "as ever")
            async with w.device(w.alice) as alice:
                [end] = await alice.until(Stopped)
                assert end.code == "attach.superseded"
            used = positions(posted)
            assert len(used) == len(set(used))

    run(main)


def test_copy_that_has_missed_nothing_goes_on_and_cuts_the_first_one_off(tmp_path, posted, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.bob) as bob, w.device(w.alice) as alice:
            await alice.until(Ready)
            await talk(alice, bob)
            same = back_up(w, w.alice, "same")
            async with w.device(w.alice, same) as copy:
                await send(copy, bob, "of the copy")
                assert (await alice.until(Stopped))[0].code == "attach.superseded"
            used = positions(posted)
            assert len(used) == len(set(used))

    run(main)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("point", ["before the relay", "after the relay", "after a message"])
def test_phone_that_dies_on_its_way_to_the_relay_is_let_in_again(tmp_path, monkeypatch, relay_url, point):
    begin, encrypt = Profile.begin_move, Profile.commit_encrypted

    async def die(*_args):
        raise Killed

    async def begin_and_die(self):
        await begin(self)
        raise Killed

    async def encrypt_and_die(self, unit):
        await encrypt(self, unit)
        raise Killed

    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.bob) as bob:
            async with w.device(w.alice) as alice:
                await talk(alice, bob)
            with monkeypatch.context() as patch:
                if point == "before the relay":
                    patch.setattr(Profile, "begin_move", begin_and_die)
                elif point == "after the relay":
                    patch.setattr(Profile, "end_move", die)
                else:
                    patch.setattr(Profile, "commit_encrypted", encrypt_and_die)
                dying = await Device.open(w.home(w.alice), w.url, w.alice, Options())
                await dying.send_text(w.bob, "last words")
                task = dying._sending._lanes[w.bob].task if point == "after a message" else dying._tasks[0]
                with pytest.raises(Killed):
                    await task
                await dying.close()
            async with w.device(w.alice) as alice:
                await alice.until(Ready)
                await bob.until(MessageReceived, text="last words")
                await send(bob, alice, "welcome back")

    run(main)
