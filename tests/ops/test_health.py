import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from corefast import health


@contextmanager
def front(status: int, body: bytes) -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield server.server_port
        thread.join()


def test_the_program_started_first_is_asked():
    lines = [["/usr/bin/tini"], ["python", "-m", "corefast.core", "--data-dir", "x"], ["python", "-m", "api"]]
    assert health.first_program(lines) == ("corefast.core", ["--data-dir", "x"])
    assert health.first_program([["python", "-m", "corefast.health"], ["sh", "-m"]]) is None


def test_a_flag_beats_the_variable_and_the_variable_the_default():
    environ = {"COREFAST_LISTEN": "0.0.0.0:1"}
    assert health.setting(["--listen", "a:2"], "listen", "b:3", environ) == "a:2"
    assert health.setting(["--listen=a:2"], "listen", "b:3", environ) == "a:2"
    assert health.setting(["--core", "a:2"], "listen", "b:3", environ) == "0.0.0.0:1"
    assert health.setting([], "listen", "b:3", {}) == "b:3"


def test_a_front_is_well_when_it_says_that_it_is_ready(capsys: pytest.CaptureFixture[str], monkeypatch):
    with front(200, b'{"status":"ready"}') as port:
        monkeypatch.setattr(health, "command_lines", lambda: [["python", "-m", "api", "--listen", f"0.0.0.0:{port}"]])
        assert health.main() == 0
    with front(503, b'{"status":"draining"}') as port:
        monkeypatch.setattr(health, "command_lines", lambda: [["python", "-m", "api", "--listen", f"0.0.0.0:{port}"]])
        assert health.main() == 1
    assert 'api: /readyz answers 503 {"status":"draining"}' in capsys.readouterr().out


def test_a_server_that_hangs_up_in_turn_is_well_and_one_that_does_not_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(TimeoutError):
            health.knock(port)
        server.accept()[0].close()
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        assert health.knock(port) == "answers"
        thread.join()
    with pytest.raises(ConnectionRefusedError):
        health.knock(port)


def test_an_emitter_is_well_while_its_link_to_the_core_stands():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ValueError, match="no link"):
            health.find_link(port)
        with socket.create_connection(("127.0.0.1", port)):
            assert health.find_link(port) == "linked to the core"


def test_without_a_program_of_ours_nothing_is_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(health, "command_lines", lambda: [[sys.executable, "-m", "pytest"]])
    assert health.main() == 1
    assert capsys.readouterr().out == "no program of corefast runs here\n"
