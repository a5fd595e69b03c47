from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from corefast.config import load
from corefast.errors import SetupError


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A program for tests."""

    data_dir: Annotated[str, Meta(description="where it lives")]
    port: Annotated[int, Meta(description="100 % of the traffic goes here", ge=1, le=65_535)] = 9090
    echo: Annotated[bool, Meta(description="answer everything")] = False
    registration: Annotated[Literal["open", "code"], Meta(description="who may come")] = "code"
    peers: Annotated[list[str], Meta(description="friends")] = msgspec.field(default_factory=list)
    core_secret: Annotated[str, Meta(description="hush")] = ""
    limit: Annotated[int | None, Meta(description="maybe")] = None


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path):
    file = tmp_path / "c.toml"
    file.write_text('port = 1\nregistration = "open"\n[relay]\nport = 2\ndata_dir = "file"\n')
    environ = {"COREFAST_PORT": "3", "COREFAST_DATA_DIR": "env", "COREFAST_CONFIG": str(file)}

    assert load(Settings, "relay", ["--port", "4"], environ).port == 4
    assert load(Settings, "relay", [], environ).port == 3
    environ.pop("COREFAST_PORT")
    loaded = load(Settings, "relay", [], environ)
    assert (loaded.port, loaded.data_dir, loaded.registration, loaded.echo) == (2, "env", "open", False)
    assert load(Settings, "other", ["--config", str(file), "--data-dir", "d"], {}).port == 1


def test_every_type_is_read_from_flags_and_from_the_environment():
    argv = ["--data-dir=d", "--echo", "--registration", "open", "--peers", "a", "--peers", "b", "--limit", "7"]
    flags = load(Settings, "relay", argv, {})
    assert (flags.echo, flags.registration, flags.peers, flags.limit) == (True, "open", ["a", "b"], 7)

    environ = {"COREFAST_DATA_DIR": "d", "COREFAST_ECHO": "true", "COREFAST_PEERS": "a,b", "COREFAST_LIMIT": "8"}
    loaded = load(Settings, "relay", [], environ)
    assert (loaded.echo, loaded.peers, loaded.limit) == (True, ["a", "b"], 8)
    assert load(Settings, "relay", ["--no-echo"], environ).echo is False


@pytest.mark.parametrize(
    ("argv", "environ", "sentence"),
    [
        ([], {}, "relay needs --data-dir (or COREFAST_DATA_DIR)"),
        (["--data-dir", "d", "--port", "x"], {}, "--port: 'x' is not a whole number"),
        (["--data-dir", "d", "--port", "0"], {}, "--port: '0' is not a whole number from 1 to 65535"),
        (["--data-dir", "d"], {"COREFAST_PORT": "x"}, "COREFAST_PORT: 'x' is not a whole number"),
        (["--data-dir", "d", "--registration", "all"], {}, "--registration: 'all' is not one of open, code"),
        (["--data-dir", "d", "--what"], {}, "unrecognized arguments: --what"),
        (["--data-dir", "d"], {"COREFAST_ECHO": "perhaps"}, "COREFAST_ECHO: 'perhaps' is not true or false"),
    ],
)
def test_a_wrong_value_is_one_sentence(argv: list[str], environ: dict[str, str], sentence: str):
    with pytest.raises(SetupError) as caught:
        load(Settings, "relay", argv, environ)
    assert sentence in str(caught.value)


def test_a_secret_comes_from_a_file_and_never_into_the_sentence(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("sesame\n")
    environ = {"COREFAST_DATA_DIR": "d", "COREFAST_CORE_SECRET_FILE": str(secret)}
    assert load(Settings, "core", [], environ).core_secret == "sesame"

    class Numeric(msgspec.Struct, frozen=True, kw_only=True):
        pin: int = 0

    with pytest.raises(SetupError) as caught:
        load(Numeric, "core", [], {"COREFAST_PIN": "sesame"})
    assert "sesame" not in str(caught.value)


def test_an_unknown_setting_of_the_programs_own_table_is_named(tmp_path: Path):
    file = tmp_path / "c.toml"
    file.write_text('data_dir = "d"\n[relay]\nprot = 1\n')
    with pytest.raises(SetupError, match="no setting 'prot'"):
        load(Settings, "relay", ["--config", str(file)], {})
    file.write_text("data_dir = \n")
    with pytest.raises(SetupError, match="c.toml"):
        load(Settings, "relay", ["--config", str(file)], {})


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        load(Settings, "relay", ["--help"], {})
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "--data-dir" in shown and "100 % of the traffic" in shown and "(default: 9090)" in shown


def test_a_positional_setting_needs_no_flag():
    class Issue(msgspec.Struct, frozen=True, kw_only=True):
        number: Annotated[str, Meta(description="whose", extra={"positional": True})]
        data_dir: str = "."

    assert load(Issue, "relay issue-code", ["4930", "--data-dir", "d"], {}).number == "4930"


@pytest.mark.parametrize(
    "argv",
    [
        ["revoke", "ID", "--data", "d"],
        ["revoke", "--data", "d", "ID"],
        ["--data", "d", "revoke", "ID"],
    ],
)
def test_flags_stand_before_between_or_after_positional_settings(argv: list[str]):
    class Key(msgspec.Struct, frozen=True, kw_only=True):
        action: Annotated[str, Meta(extra={"positional": True})]
        id: Annotated[str, Meta(extra={"positional": True})] = ""
        data: str = "."

    assert load(Key, "key", argv, {}) == Key(action="revoke", id="ID", data="d")
    assert load(Key, "key", ["list"], {}) == Key(action="list")
    with pytest.raises(SetupError, match="action"):
        load(Key, "key", ["--data", "d"], {})
