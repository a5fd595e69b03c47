"""`corefast key` and what the helpers say when they cannot do what they are asked."""

import asyncio
import json
from pathlib import Path

import pytest
import uvloop

from api.config import KeyConfig, ListenConfig
from api.key import act
from api.listen import listen
from corefast.config import load
from corefast.errors import SetupError, TokenInvalid
from corefast.wire import gateway
from corefast.wire.webhook import GetWebhook, Webhook

from ..support.fake_core import FakeCore, write_secret

VIEW = gateway.KeyView("key_7", "shop", "493023125000", (gateway.Scope.SEND,), 1_900_000_000_000)


def key_core() -> FakeCore:
    def revoke(message):
        if message.id != VIEW.id:
            raise TokenInvalid("no API key has this id")
        return gateway.Done()

    core = FakeCore()
    core.on[gateway.NewKey] = lambda message: gateway.NewKeyMade(VIEW, message.key or "cf_new")
    core.on[gateway.ListKeys] = lambda message: gateway.Keys([VIEW])
    core.on[gateway.RevokeKey] = revoke
    return core


def up_folder(tmp_path: Path, address: str) -> str:
    (tmp_path / "core").mkdir()
    write_secret(tmp_path / "core")
    (tmp_path / "up.json").write_text(json.dumps({"core": address}))
    return str(tmp_path)


def run(*words: str, **environ: str) -> KeyConfig:
    return load(KeyConfig, "key", words, environ)


def test_keys_are_made_listed_and_revoked(tmp_path, capsys):
    async def main():
        core = key_core()
        data = up_folder(tmp_path, await core.start())
        await act(run("new", "--name", "shop", "--scope", "send", "--data", data))
        shown = capsys.readouterr()
        assert shown.out == "cf_new\n" and "key_7" in shown.err
        assert core.calls[-1] == gateway.NewKey("shop", (gateway.Scope.SEND,))
        await act(run("new", "--data", data))
        assert core.calls[-1].scopes == (gateway.Scope.SEND, gateway.Scope.READ)
        await act(run("new", "--account", "+49 30 23125001", "--data", data))
        assert core.calls[-1].account == "+49 30 23125001"

        capsys.readouterr()
        await act(run("list", "--json", "--data", data))
        (key,) = json.loads(capsys.readouterr().out)["keys"]
        facts = {"id": "key_7", "name": "shop", "account": "493023125000", "scopes": "send"}
        assert key == facts | {"created": "2030-03-17T17:46:40+00:00"}
        await act(run("list", "--data", data))
        assert "key_7" in capsys.readouterr().out

        await act(run("revoke", "key_7", "--data", data))
        assert capsys.readouterr().out == "key_7 is revoked\n"
        with pytest.raises(SetupError, match="no API key has this id"):
            await act(run("revoke", "key_8", "--data", data))
        await core.stop()

    uvloop.run(main())


def test_the_webhooks_secret_is_shown_once_there_is_one(tmp_path, capsys):
    async def main():
        core = key_core()
        core.on[GetWebhook] = lambda message: Webhook("", "", ())
        data = up_folder(tmp_path, await core.start())
        with pytest.raises(SetupError, match="corefast up --webhook"):
            await act(run("webhook", "--data", data))
        core.on[GetWebhook] = lambda message: Webhook("https://example.org/hook", "whsec_x", ())
        await act(run("webhook", "--data", data))
        shown = capsys.readouterr()
        assert shown.out == "whsec_x\n" and "https://example.org/hook" in shown.err
        await core.stop()

    uvloop.run(main())


def test_up_hands_its_own_key_over_in_a_file(tmp_path, capsys):
    """No up.json yet, and nothing secret on a command line."""

    async def main():
        core = key_core()
        address = await core.start()
        (tmp_path / "core").mkdir()
        write_secret(tmp_path / "core")
        (tmp_path / "api.key").write_text("cf_kept\n")
        words = ("new", "--name", "up", "--json", "--data", str(tmp_path), "--core", address)
        await act(run(*words, COREFAST_KEY_FILE=str(tmp_path / "api.key")))
        assert json.loads(capsys.readouterr().out)["key"] == "cf_kept"
        assert core.calls[-1].key == "cf_kept"
        await core.stop()

    uvloop.run(main())


def test_a_mistake_is_told_in_one_sentence(tmp_path):
    data = up_folder(tmp_path, "127.0.0.1:1")
    mistakes = {
        ("forget", "--data", data): "new, list, revoke and webhook",
        ("revoke", "--data", data): "corefast key list",
        ("new", "--scope", "all", "--data", data): "send, read, admin",
        ("list", "--data", data + "/nowhere"): "no folder",
        ("list", "--data", data, "--core", "nowhere"): "HOST:PORT",
    }
    for words, sentence in mistakes.items():
        with pytest.raises(SetupError, match=sentence):
            uvloop.run(act(run(*words)))
    (tmp_path / "up.json").unlink()
    with pytest.raises(SetupError, match="not running"):
        uvloop.run(act(run("list", "--data", data)))


def test_listen_needs_a_folder_or_a_secret():
    for words in ((), ("--secret", "whsec_"), ("--secret", "whsec_\u00fc")):
        with pytest.raises(SetupError):
            uvloop.run(listen(load(ListenConfig, "listen", words, {}), asyncio.Event()))
