from structlog.testing import capture_logs

from corefast.errors import FrameTooLarge, RemoteRefused
from corefast.net import complaint
from corefast.net.complaint import Complaints, complain, describe


def test_one_line_a_second_of_a_kind_and_the_rest_is_counted():
    complaints = Complaints()
    assert complaints.add("link.closed", FrameTooLarge(), 10.0) == 0
    assert complaints.add("link.closed", FrameTooLarge(), 10.5) is None
    assert complaints.add("link.closed", FrameTooLarge(), 10.9) is None
    assert complaints.add("link.closed", KeyError(), 10.9) == 0
    assert complaints.add("link.closed", FrameTooLarge(), 11.1) == 2
    assert complaints.add("link.closed", FrameTooLarge(), 12.2) == 0


def test_line_has_the_code_and_no_text(monkeypatch):
    monkeypatch.setattr(complaint, "_complaints", Complaints())
    with capture_logs() as lines:
        complain("link.closed", FrameTooLarge("planted text"))
    (line,) = lines
    assert line["error"] == "frame.too_large"
    assert line["log_level"] == "info"
    assert "planted" not in str(lines)


def test_bug_has_its_place_and_no_text(monkeypatch):
    monkeypatch.setattr(complaint, "_complaints", Complaints())
    with capture_logs() as lines:
        try:
            raise KeyError("planted text")
        except KeyError as error:
            complain("handler.failed", error)
    (line,) = lines
    assert line["error"] == "KeyError"
    assert line["where"].startswith("test_complaint.py:")
    assert line["log_level"] == "error"
    assert "planted" not in str(lines)


def test_code_that_a_peer_made_up_is_not_repeated():
    assert describe(RemoteRefused("frame.too_large")) == "frame.too_large"
    assert describe(RemoteRefused("planted")) == "remote"
