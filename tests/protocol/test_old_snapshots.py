"""A session recorded by an earlier release goes on under this one."""

import json
from pathlib import Path

from pytest import mark

from corefast.protocol.message import KIND_PREKEY, KIND_SIGNAL
from corefast.protocol.session import Session

from .party import RANDOM, read

VECTORS = Path(__file__).parent.parent / "vectors" / "session"
RECORDED = {int(path.stem[-1]): json.loads(path.read_text()) for path in VECTORS.glob("format_?.json")}
STATES = [(form, state) for form in sorted(RECORDED) for state in RECORDED[form] if state not in ("source", "format")]


def restored(form: int, state: str) -> Session:
    recorded = RECORDED[form][state]
    session = Session.restore(bytes.fromhex(recorded["snapshot"]))
    for block in recorded.get("blocks", []):
        session.load_block(bytes.fromhex(block))
    return session


@mark.parametrize(("form", "state"), STATES)
def test_a_recorded_session_reads_what_was_on_its_way_and_writes_on(form, state):
    session = restored(form, state)
    for message, text in RECORDED[form][state]["messages"]:
        assert read(session, bytes.fromhex(message)) == text.encode()
    kind, _ = session.encrypt(b"on", RANDOM)
    assert kind == (KIND_PREKEY if state == "unanswered" else KIND_SIGNAL)


@mark.parametrize(("form", "state"), STATES)
def test_a_recorded_session_is_written_in_todays_form_and_stays_the_same(form, state):
    session = restored(form, state)
    snapshot = session.snapshot()
    blocks = [block for _, _, block in session.take_changes() if block]
    if state == "in_blocks":
        assert not blocks, "what came in blocks is stored already"
        blocks = [bytes.fromhex(block) for block in RECORDED[form][state]["blocks"]]
    again = Session.restore(session.record())
    for block in blocks:
        again.load_block(block)
    assert snapshot[0] == again.snapshot()[0] == 3
    assert again.snapshot() == snapshot == Session.restore(snapshot).snapshot()


def test_every_format_has_a_recorded_session_with_keys_of_skipped_messages():
    session = restored(3, "waiting")
    assert sorted(RECORDED) == list(range(1, session.snapshot()[0] + 1))
    for form in RECORDED:
        assert restored(form, "waiting").snapshot() > restored(form, "waiting").record()
