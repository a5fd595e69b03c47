"""One message of each kind that is no medium, and the JSON that tells it."""

from corefast.wire import body as bodies

YES, NO = bodies.Option("yes", "Yes"), bodies.Option("no", "No")
BUTTONS = bodies.ReplyButtons("Shall we?", [YES, NO], "Dinner", "at eight")
LIST = bodies.OptionList(
    "Which?",
    "Choose",
    [
        bodies.Section([bodies.Option("r1", "First", "the best")], "Top"),
        bodies.Section([bodies.Option("r2", "Second")], "Rest"),
    ],
)
TEMPLATE = bodies.Template(
    "order",
    "en",
    "Your order is here",
    "Hello",
    "The shop",
    [
        bodies.TemplateButton(bodies.ButtonKind.URL, "Track", "https://shop.example/1"),
        bodies.TemplateButton(bodies.ButtonKind.QUICK_REPLY, "Stop", "stop-it"),
    ],
    bodies.Location(52.5, 13.4, "Shop"),
)
CARD = bodies.ContactCard(
    bodies.PersonName("Ada Lovelace", "Ada", "Lovelace"),
    [bodies.PostalAddress("Main St 1", "London", zip="W1", country="UK")],
    [bodies.Email("ada@example.org", "WORK")],
    [bodies.Phone("+49 30 23125000", "CELL", "493023125000")],
    [bodies.Url("https://ada.example")],
    bodies.Organisation("Engines", "Analysis", "Countess"),
    "1815-12-10",
)
PLACE = bodies.Location(52.52, 13.405, "Berlin", "Mitte", "https://b.example")

_ACTION = {"buttons": [{"type": "reply", "reply": {"id": each.id, "title": each.title}} for each in (YES, NO)]}
_PLACE = {"latitude": 52.52, "longitude": 13.405, "name": "Berlin", "address": "Mitte", "url": "https://b.example"}
CARD_FIELDS = {
    "name": {"formatted_name": "Ada Lovelace", "first_name": "Ada", "last_name": "Lovelace"},
    "addresses": [{"street": "Main St 1", "city": "London", "zip": "W1", "country": "UK"}],
    "emails": [{"email": "ada@example.org", "type": "WORK"}],
    "phones": [{"phone": "+49 30 23125000", "type": "CELL", "wa_id": "493023125000"}],
    "urls": [{"url": "https://ada.example"}],
    "org": {"company": "Engines", "department": "Analysis", "title": "Countess"},
    "birthday": "1815-12-10",
}

FROM_A_BUSINESS = [
    (
        BUTTONS,
        {
            "type": "interactive",
            "interactive": {
                "type": "button",
                "header": {"type": "text", "text": "Dinner"},
                "body": {"text": "Shall we?"},
                "footer": {"text": "at eight"},
                "action": _ACTION,
            },
        },
    ),
    (
        LIST,
        {
            "type": "interactive",
            "interactive": {
                "type": "list",
                "body": {"text": "Which?"},
                "action": {
                    "button": "Choose",
                    "sections": [
                        {"title": "Top", "rows": [{"id": "r1", "title": "First", "description": "the best"}]},
                        {"title": "Rest", "rows": [{"id": "r2", "title": "Second"}]},
                    ],
                },
            },
        },
    ),
    (
        TEMPLATE,
        {
            "type": "template",
            "template": {
                "name": "order",
                "language": "en",
                "header": "Hello",
                "body": "Your order is here",
                "footer": "The shop",
                "buttons": [
                    {"kind": "url", "title": "Track", "value": "https://shop.example/1"},
                    {"kind": "quick_reply", "title": "Stop", "value": "stop-it"},
                ],
                "location": {"latitude": 52.5, "longitude": 13.4, "name": "Shop"},
            },
        },
    ),
]
"""What only businesses send."""

FROM_ANYBODY = [
    (bodies.Text("hello"), {"type": "text", "text": "hello"}),
    (PLACE, {"type": "location", "location": _PLACE}),
    (bodies.ContactCards([CARD]), {"type": "contacts", "contacts": [CARD_FIELDS]}),
]

ANSWERS = [
    (
        bodies.ButtonReply("yes", "Yes"),
        {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}},
    ),
    (
        bodies.ListReply("r1", "First", "the best"),
        {
            "type": "interactive",
            "interactive": {
                "type": "list_reply",
                "list_reply": {"id": "r1", "title": "First", "description": "the best"},
            },
        },
    ),
    (bodies.QuickReply("stop-it", "Stop"), {"type": "button", "button": {"payload": "stop-it", "text": "Stop"}}),
]
"""What quotes another message."""
