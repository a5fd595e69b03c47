"""The shape of results: what is written is read, named and compared as documented. Nothing is measured here."""

from pathlib import Path

import msgspec
import pytest
from bench.results import Result

from bench import compare, micro, results


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
