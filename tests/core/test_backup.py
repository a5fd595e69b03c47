"""A backup carries an account to another core; the copy goes on with new sessions and ids, and the original ends."""

import asyncio
import base64
import os

import msgspec
import pytest

from corefast.core.settings.backup import MAGIC, Kept, open_sealed, seal
from corefast.errors import BackupInvalid, RemoteRefused
from corefast.wire.body import Text
from corefast.wire.event import EventKind
from corefast.wire.gateway import Send
from corefast.wire.settings import GetApplication, MakeBackup, PatchApplication, RestoreBackup
from tests.core.world import BUSINESS, CUSTOMER, story

PASSWORD = "Correct-Horse-1"


@pytest.fixture(autouse=True)
def light(monkeypatch):
    monkeypatch.setattr("corefast.core.settings.backup.MEMORY_KIB", 64)


def a_backup(data=b"x" * 100):
    return Kept(BUSINESS, 1, data, b"link", {"application": b"{}"})


@pytest.mark.one_engine
def test_what_is_not_byte_for_byte_a_backup_of_this_password_is_refused():
    counter = iter(range(100))
    sealed = seal(a_backup(), PASSWORD, lambda size: bytes([next(counter)]) * size)
    assert open_sealed(sealed, PASSWORD) == a_backup()
    blob = base64.urlsafe_b64decode(sealed)
    assert blob.startswith(MAGIC) and b"link" not in blob
    wrong = [
        base64.urlsafe_b64encode(blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]).decode() for at in range(len(blob))
    ]
    wrong += [base64.urlsafe_b64encode(blob[:at]).decode() for at in range(0, len(blob), 7)]
    wrong += ["", "AAAA", "nonsense!", "ü", "A" * 300_000, sealed + "AAAA"]
    for data in wrong:
        with pytest.raises(BackupInvalid):
            open_sealed(data, PASSWORD)
    with pytest.raises(BackupInvalid):
        open_sealed(sealed, "Correct-Horse-2")
    assert seal(a_backup(), PASSWORD, lambda size: bytes([next(counter)]) * size) != sealed


def test_a_restored_account_keeps_identity_and_settings_and_uses_no_old_session_or_id(tmp_path):
    async def main(w):
        await w.front.call(PatchApplication(BUSINESS, b'{"webhooks":{"url":"https://shop.test/"},"odd":7}'))
        first = await w.send("before")
        await w.statuses(2)
        made = await w.front.call(MakeBackup(BUSINESS, PASSWORD))
        identity, old_id = w.relay.registers[-1].identity, first.id
        with pytest.raises(RemoteRefused) as refused:
            await w.front.call(RestoreBackup("", PASSWORD, made.data))
        assert refused.value.code == "account.registered"
        await w.stop()

        posts, attaches = len(w.relay.posts), len(w.relay.attaches)
        await w.start(folder=tmp_path / "second", number="")
        for password in ("Correct-Horse-2", "short"):
            with pytest.raises(RemoteRefused) as refused:
                await w.front.call(RestoreBackup("", password, made.data))
            assert refused.value.code in ("backup.invalid", "parameter.invalid")
        restored = await w.front.call(RestoreBackup("", PASSWORD, made.data))
        assert restored.number == BUSINESS
        async with asyncio.timeout(20):
            while len(w.relay.attaches) == attaches or not w.core.find(BUSINESS).place.standing.value == "connected":
                await asyncio.sleep(0.01)
        assert w.relay.attaches[-1].force and len(w.relay.registers) == 1
        settings = msgspec.json.decode((await w.front.call(GetApplication(BUSINESS))).settings)
        assert (settings["webhooks"]["url"], settings["odd"]) == ("https://shop.test/", 7)

        again = await w.front.call(Send(BUSINESS, CUSTOMER, Text("after")))
        await w.events(1, EventKind.DELIVERED)
        assert again.id != old_id
        post = w.relay.posts[posts]
        content = w.phone.read(post.parts[0])
        assert content.body == Text("after")
        assert w.core.find(BUSINESS).context.own.identity.public == identity

    story(main, tmp_path)


def test_a_restored_account_that_never_attached_takes_its_place_after_a_restart(tmp_path):
    async def main(w):
        made = await w.front.call(MakeBackup(BUSINESS, PASSWORD))
        await w.stop()
        await w.start(folder=tmp_path / "second", number="")
        w.core._server_was, w.core._server = w.core._server, None  # it ends before it was at work
        await w.front.call(RestoreBackup("", PASSWORD, made.data))
        w.core._server = w.core._server_was
        forced = len(w.relay.attaches)
        w.front.close()
        await w.core.close()
        await w.start(folder=tmp_path / "second", number="")
        await w.attached()
        assert w.relay.attaches[forced].force
        async with asyncio.timeout(20):
            while await w.core._settings.load(1, "restored") is not None:
                await asyncio.sleep(0.01)

    story(main, tmp_path)


@pytest.mark.parametrize(
    "lie",
    [
        {"number": "+49 30 23125000"},
        {"number": ""},
        {"link_key": b"x"},
        {"settings": {"application": b"{"}},
        {"settings": {"application": b'{"webhooks":7}'}},
        {"settings": {"providers": b"[7]"}},
        {"settings": {"profile.business": b"\xff"}},
    ],
)
def test_backup_of_what_cannot_be_leaves_no_account_that_stops_the_next_start(tmp_path, lie):
    async def main(w):
        made = await w.front.call(MakeBackup(BUSINESS, PASSWORD))
        kept = msgspec.structs.replace(open_sealed(made.data, PASSWORD), **lie)
        await w.stop()
        await w.start(folder=tmp_path / "second", number="")
        with pytest.raises(RemoteRefused) as refused:
            await w.front.call(RestoreBackup("", PASSWORD, seal(kept, PASSWORD, os.urandom)))
        assert refused.value.code == "backup.invalid"
        await w.restart(folder=tmp_path / "second", number="")
        assert w.core.all() == []

    story(main, tmp_path)
