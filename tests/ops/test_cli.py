import os

import pytest

from corefast import cli


def test_a_command_becomes_its_program(monkeypatch: pytest.MonkeyPatch):
    seen: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, argv: seen.append(argv))
    cli.main(["phone", "--number", "49"])
    assert seen[0][1:] == ["-m", "corefast.device", "--number", "49"]


def test_help_lists_every_command_and_a_wrong_word_gets_a_suggestion(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in cli.PROGRAMS)
    assert cli.main([]) == 2
    assert cli.main(["webhoks"]) == 2
    assert "did you mean `corefast webhooks`?" in capsys.readouterr().err
    assert cli.main(["--version"]) == 0
