from corefast.supervisor.live import phone_line, webhook_lines
from corefast.supervisor.screen import printable


def test_what_the_phone_gets_and_says_is_shown_for_people():
    facts = {"event": "message", "from": "493023125000", "id": "x", "type": "text", "text": "Hello world!"}
    assert phone_line("49123123456", facts) == "phone +49 123 123456 ← Hello world!"
    assert phone_line("49123123456", {"event": "status", "id": "x"}) is None


def test_what_the_webhook_gets_is_shown_by_its_word():
    status = {"event": "webhook", "verified": True, "body": {"statuses": [{"id": "x", "status": "delivered"}]}}
    assert webhook_lines(status) == ["webhook ← delivered"]
    message = {"messages": [{"from": "49123123456", "text": {"body": "hi"}}]}
    assert webhook_lines({"event": "webhook", "verified": False, "body": message}) == [
        "webhook ← +49 123 123456: hi (signature wrong)"
    ]
    assert webhook_lines({"event": "ready"}) == []


def test_a_message_cannot_command_the_terminal():
    assert printable("a\x1b[2J\nb\u202e") == "a\ufffd[2J b\ufffd"
