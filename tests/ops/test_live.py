from corefast.supervisor.live import phone_line, webhook_lines
from corefast.supervisor.screen import printable


def test_what_the_phone_gets_and_says_is_shown_for_people():
    facts = {"event": "message", "from": "493023125000", "id": "x", "type": "text", "text": "Hello world!"}
    assert phone_line("49123123456", facts) == "phone +49 123 123456 ← Hello world!"
    assert phone_line("49123123456", {"event": "status", "id": "x"}) is None


KINDS = [
    ({"type": "location", "location": {"latitude": 52.5, "longitude": 13.4, "name": "Berlin"}}, "Berlin 52.5, 13.4"),
    ({"type": "location", "location": {"latitude": 52.5, "longitude": 13.4}}, "52.5, 13.4"),
    ({"type": "contacts", "contacts": [{"name": {"formatted_name": name}} for name in ("Ada", "Bo")]}, "Ada, Bo"),
    ({"type": "reaction", "reaction": {"message_id": "x", "emoji": "👍"}}, "👍"),
    ({"type": "reaction", "reaction": {"message_id": "x", "emoji": ""}}, "taken back"),
    ({"type": "button", "button": {"payload": "p", "text": "Stop"}}, "Stop"),
    ({"type": "template", "template": {"name": "n", "body": "Your order"}}, "Your order"),
    ({"type": "interactive", "interactive": {"type": "list", "body": {"text": "Which?"}}}, "Which?"),
    ({"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"title": "Yes"}}}, "Yes"),
    ({"type": "image", "image": {"caption": "a boat"}}, "a boat"),
    ({"type": "document", "document": {"filename": "bill.pdf"}}, "bill.pdf"),
]


def test_each_kind_of_message_is_shown_in_a_line_on_both_sides():
    for message, words in KINDS:
        line = f"{message['type']}: {words}"
        assert phone_line("49123123456", {"event": "message"} | message) == f"phone +49 123 123456 ← {line}"
        told = {"messages": [{"from": "49123123456"} | message]}
        assert webhook_lines({"event": "webhook", "verified": True, "body": told}) == [
            f"webhook ← +49 123 123456: {line}"
        ]
    assert (
        phone_line("49123123456", {"event": "message", "type": "unsupported"}) == "phone +49 123 123456 ← unsupported"
    )
    long = phone_line("49123123456", {"event": "message", "type": "image", "image": {"caption": "x" * 300}})
    assert len(long) < 250 and long.endswith("…")


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
