"""The shape of results: what is written is read, named and compared as documented. Nothing is measured here."""

from pathlib import Path

import msgspec
import pytest
from bench.figures import Options
from bench.results import Result
from rich.console import Console

from bench import compare, micro, results, session_peers


def test_a_report_has_the_documented_shape(tmp_path: Path) -> None:
    report = results.report_of([Result("session.encrypt", "us_per_op", 1.5, "us", 1_000, (1.4, 1.6))])
    results.write(report, tmp_path / "deep" / "out.json")
    raw = msgspec.json.decode((tmp_path / "deep" / "out.json").read_bytes())
    assert set(raw) == {"results", "machine", "command", "commit"}
    assert raw["results"] == [
        {
            "name": "session.encrypt",
            "metric": "us_per_op",
            "value": 1.5,
            "unit": "us",
            "n": 1_000,
            "ci95": [1.4, 1.6],
            "peer": None,
        }
    ]
    assert results.read(tmp_path / "deep" / "out.json") == report


def test_the_mean_of_samples_lies_in_its_interval() -> None:
    result = results.measured("x", "y", "us", [1.0, 2.0, 3.0])
    assert result.ci95 is not None
    assert result.ci95[0] < result.value == 2.0 < result.ci95[1]


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        (Result("x", "y", 3.0, "us", 9, (2.9, 3.1)), "1.50"),
        (Result("x", "y", 2.1, "us", 9, (1.9, 2.3)), "(1.05)"),
        (Result("x", "y", 2.1, "us"), "1.05"),
    ],
)
def test_a_ratio_within_the_noise_stands_in_brackets(after: Result, shown: str) -> None:
    before = Result("x", "y", 2.0, "us", 9, (1.9, 2.1))
    assert compare.ratio(before, after) == shown


def test_a_measured_function_is_named_after_its_file_or_as_it_says() -> None:
    assert micro.name_of("bench/bench_link.py::notify_300[8]") == "link.notify_300[8]"
    assert micro.name_of("bench/bench_protocol.py::encrypt_100") == "session.encrypt"


def test_foreign_programs_stand_beside_ours_with_what_they_take_times_ours(capsys: pytest.CaptureFixture[str]) -> None:
    measured = [
        Result("session.encrypt", "us_per_op", 2.0, "us"),
        Result("session.snapshot", "us_per_op", 0.1, "us"),
        Result("session.encrypt", "us_per_op", 5.0, "us", peer="other 1.0"),
        Result("session.setup", "us_per_op", 400.0, "us", peer="other 1.0"),
    ]
    results.show(measured, Console(width=120))
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["session.snapshot", "us_per_op", "0.1", "us"] in shown
    assert ["corefast", "2", "–"] in shown
    assert ["other", "1.0", "5", "2.5×", "400"] in shown


def test_foreign_programs_are_compared_with_what_ours_took_in_turns_with_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    measured = [
        Result("session.encrypt", "us_per_op", 2.0, "us"),
        Result("session.encrypt", "us_per_op", 4.0, "us", peer=results.OURS_IN_TURNS),
        Result("session.encrypt", "us_per_op", 6.0, "us", peer="other 1.0"),
    ]
    results.show(measured, Console(width=120))
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["corefast,", "in", "turns", "4"] in shown
    assert ["other", "1.0", "6", "1.5×"] in shown


def test_an_engine_that_fails_is_asked_once_and_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fails() -> session_peers.Samples:
        asked.append("fails")
        raise FileNotFoundError(2, "No such file or directory", "node")

    def works() -> session_peers.Samples:
        asked.append("works")
        return {"encrypt": [float(asked.count("works"))]}

    monkeypatch.setattr(session_peers, "_engines", lambda seconds: {"npm": fails, "other": works})
    found = list(session_peers.run(Options(3.0, True, lambda text: None)))
    assert asked == ["fails", "works", "works", "works"]
    assert [(result.name, result.peer, result.value, result.n) for result in found] == [
        ("session.encrypt", "other", 2.0, 3)
    ]
    assert "npm is left out" in capsys.readouterr().err


def test_a_peer_that_is_not_there_is_named_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> session_peers.Samples:
        raise FileNotFoundError(2, "No such file or directory", "node")

    assert session_peers._attempt("npm", fails) == {}
    assert capsys.readouterr().err == "npm is left out: [Errno 2] No such file or directory: 'node'\n"


def test_the_reason_is_the_line_about_the_error() -> None:
    words = "node:internal/modules/esm\n    throw error;\nError [ERR_MODULE_NOT_FOUND]: Cannot find it\n\nNode.js v18\n"
    assert session_peers._reason(words) == "Error [ERR_MODULE_NOT_FOUND]: Cannot find it"
    assert session_peers._reason("a.c:1:10: fatal error: x.h: No such file\ncompilation terminated.\n").startswith(
        "a.c"
    )
    assert session_peers._reason("words\nthe last") == "the last"
