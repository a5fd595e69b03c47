import os
import socket

import pytest

from corefast.errors import SetupError
from corefast.supervisor import port


def test_the_holder_of_a_busy_port_is_named_with_the_remedy():
    with socket.socket() as server:
        server.bind((port.HOST, 0))
        server.listen()
        number = server.getsockname()[1]
        assert not port.is_free(number)
        assert port.choose(number) != number
        with pytest.raises(SetupError) as caught:
            port.require(number, "choose another one with --port")
    sentence = str(caught.value)
    assert f"port {number} is in use by process {os.getpid()} (" in sentence
    assert "python" in sentence and "--port" in sentence
    port.require(number, "")


def test_a_free_port_is_taken_as_wanted():
    wanted = port.choose(0)
    assert port.choose(wanted) == wanted
