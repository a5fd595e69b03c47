"""turn-python: it knows the errors by their HTTP status."""

import os

import requests
from turn import request_types
from turn.client import TurnClient
from turn.exceptions import WhatsAppBadRequestError, WhatsAppContactNotFoundError

API, KEY, DEMO = (os.environ[name] for name in ("API", "KEY", "DEMO"))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8

request_types.TurnRequest.base_url = f"{API}/v1/"
client = TurnClient(KEY)
assert client.contacts.get_whatsapp_id("+" + DEMO) == DEMO
try:
    client.contacts.get_whatsapp_id("+491700000001")
    raise AssertionError("a number that nobody has")
except WhatsAppContactNotFoundError:
    pass
assert client.messages.send_text(DEMO, "Hello from turn").startswith("gBGG")
try:
    client.messages.send_text(DEMO, "")
    raise AssertionError("a text without words")
except WhatsAppBadRequestError:
    pass
assert client.messages.send_media(DEMO, JPEG, "image/jpeg", "image", "with words").startswith("gBGG")
found: requests.Response = client.media.get_media(client.media.upload_media(JPEG, "image/jpeg"))
assert (found.content, found.headers["content-type"]) == (JPEG, "image/jpeg")
print("done")
