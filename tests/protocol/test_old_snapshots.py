"""A session recorded by an earlier release goes on under this one."""

import json
from pathlib import Path

from pytest import mark

from corefast.protocol.message import KIND_PREKEY, KIND_SIGNAL
from corefast.protocol.session import Session

from .party import RANDOM, read

VECTORS = Path(__file__).parent.parent / "vectors" / "session"
RECORDED = {int(path.stem[-1]): json.loads(path.read_text()) for path in VECTORS.glob("format_?.json")}


@mark.parametrize("format", sorted(RECORDED))
@mark.parametrize("state", ["waiting", "answered", "unanswered"])
def test_a_recorded_session_reads_what_was_on_its_way_and_writes_on(format, state):
    recorded = RECORDED[format][state]
    session = Session.restore(bytes.fromhex(recorded["snapshot"]))
    for message, text in recorded["messages"]:
        assert read(session, bytes.fromhex(message)) == text.encode()
    kind, _ = session.encrypt(b"on", RANDOM)
    assert kind == (KIND_PREKEY if state == "unanswered" else KIND_SIGNAL)
