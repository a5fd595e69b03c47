import asyncio
import json
from pathlib import Path

import pytest
import uvloop

from corefast.supervisor import up as up_module
from corefast.supervisor.up import Up, UpConfig


class FakeScreen:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def show(self, line: str) -> None:
        self.lines.append(line)

    def close(self) -> None:
        pass


def run(
    monkeypatch, folder: Path, refusal: str = "", **options
) -> tuple[list[str], dict[str, tuple[list[str], dict[str, str]]], dict]:
    """Run an `up` whose children only say that they are ready; return its lines, its children, and up.json."""
    screen, children = FakeScreen(), {}
    published: dict = {}

    class FakeChild:
        def __init__(self, name, command, logs, environ, on_fact) -> None:
            children[name] = (command, dict(environ))
            self.name = name

        async def ready(self):
            return {"url": "corefast://chat.example:7/#KEY", "refusal": refusal}

        def later(self, environ) -> None:
            children[f"{self.name} later"] = ([], dict(environ))

        async def keep(self, on_restart) -> None:
            await asyncio.Event().wait()

        async def stop(self, grace_s) -> None:
            pass

        def kill(self) -> None:
            pass

    class FakeProcess:
        returncode = 0

        async def communicate(self):
            return b"AAAA-BBBB   registers +49\n", b""

    async def spawn(command, environ=None):
        children[command[1]] = (list(command), dict(environ or {}))
        return FakeProcess()

    monkeypatch.setattr(up_module, "Screen", lambda: screen)
    monkeypatch.setattr(up_module, "Child", FakeChild)
    monkeypatch.setattr(up_module, "spawn", spawn)
    monkeypatch.setattr(up_module.port, "is_free", lambda port: True)

    async def story() -> None:
        stop = asyncio.Event()
        task = asyncio.ensure_future(Up(UpConfig(data=str(folder), **options)).run(stop))
        while not (folder / "up.json").exists():
            await asyncio.sleep(0)
        published.update(json.loads((folder / "up.json").read_text()))
        stop.set()
        await task

    uvloop.run(story())
    return screen.lines, children, published


def test_on_loopback_registration_is_open_and_the_key_is_shown(tmp_path: Path, monkeypatch):
    lines, children, published = run(monkeypatch, tmp_path)
    assert children["relay"][0][-2:] == ["--registration", "open"]
    assert "COREFAST_CODE" not in children["core"][1]
    assert f"key      {published['api_key']}" in lines
    assert lines[-1].startswith("try      curl -H 'Authorization: Bearer cf_")


def test_beyond_loopback_registration_needs_a_code_which_our_own_programs_get(tmp_path: Path, monkeypatch):
    _, children, _ = run(monkeypatch, tmp_path, host="0.0.0.0", demo=True)
    assert children["relay"][0][-2:] == ["--registration", "code"]
    assert "0.0.0.0:9091" in children["relay"][0] and "0.0.0.0:9090" in children["api"][0]
    assert children["core"][1]["COREFAST_CODE"] == children["phone"][1]["COREFAST_CODE"] == "AAAA-BBBB"
    phone = children["phone"][0]
    assert phone[phone.index("--data") + 1] == ""  # whatever COREFAST_DATA says
    assert not any("AAAA" in word for command, _ in children.values() for word in command)


def test_beyond_loopback_no_line_shows_the_key(tmp_path: Path, monkeypatch):
    lines, _, published = run(monkeypatch, tmp_path, host="0.0.0.0")
    assert published["api_key"].startswith("cf_")
    assert not any(published["api_key"] in line for line in lines)


def test_phones_hear_of_the_public_address_and_our_own_programs_stay_on_loopback(tmp_path: Path, monkeypatch):
    _, children, published = run(monkeypatch, tmp_path, host="0.0.0.0", relay_public="chat.example:7")
    relay, core = children["relay"][0], children["core"][0]
    assert relay[relay.index("--public") + 1] == "chat.example:7"
    assert core[core.index("--relay") + 1] == "corefast://127.0.0.1:9091/#KEY"
    assert published["relay"] == "corefast://chat.example:7/#KEY"


def test_a_restored_folder_is_adopted_by_the_first_life_of_the_core_alone(tmp_path: Path, monkeypatch):
    _, children, _ = run(monkeypatch, tmp_path, adopt_restored=True, replace=True, pin="1234")
    environ = children["core"][1]
    assert environ["COREFAST_ADOPT_RESTORED"] == environ["COREFAST_REPLACE"] == "true"
    assert environ["COREFAST_PIN"] == "1234" and "1234" not in children["core"][0]
    later = children["core later"][1]
    assert later == {"COREFAST_ADOPT_RESTORED": "false", "COREFAST_REPLACE": "false"}


def test_why_the_core_takes_no_messages_stands_below_the_banner(tmp_path: Path, monkeypatch):
    lines, _, _ = run(monkeypatch, tmp_path, refusal="the number has another owner; --replace takes it over")
    assert lines[-2].startswith("try ")
    assert lines[-1] == "corefast: messages are not taken: the number has another owner; --replace takes it over"


def test_no_argument_shows_the_webhook(tmp_path: Path, monkeypatch):
    url = "https://user:secret@shop.example/hook"
    _, children, _ = run(monkeypatch, tmp_path, webhook=url)
    assert children["core"][1]["COREFAST_WEBHOOK"] == url
    assert not any("shop.example" in word for command, _ in children.values() for word in command)


def test_our_programs_name_our_number_and_the_demo_leaves_a_webhook_of_others(tmp_path: Path, monkeypatch):
    _, children, published = run(monkeypatch, tmp_path, demo=True)
    for name in ("listen", "new"):
        command = children[name][0]
        assert command[command.index("--account") + 1] == published["number"]
    assert "--yields" in children["listen"][0]


def test_the_front_waits_for_the_core_only_until_its_secrets_are_made(tmp_path: Path, monkeypatch):
    _, children, _ = run(monkeypatch, tmp_path)
    assert list(children).index("core") < list(children).index("api")
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "webhooks.secret").touch()
    _, children, _ = run(monkeypatch, tmp_path)
    assert list(children).index("api") < list(children).index("core")


@pytest.mark.parametrize("is_known", [True, False])
def test_a_later_run_installs_the_key_only_where_the_front_refuses_it(tmp_path: Path, monkeypatch, is_known: bool):
    asked: list[str] = []

    async def takes_key(port: int, key: str, *, is_tls: bool) -> bool:
        asked.append(key)
        return is_known

    monkeypatch.setattr(up_module, "takes_key", takes_key)
    _, children, _ = run(monkeypatch, tmp_path)
    assert "new" in children and not asked
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "webhooks.secret").touch()
    _, children, published = run(monkeypatch, tmp_path)
    assert asked == [published["api_key"]]
    assert ("new" in children) is not is_known
