"""wabclient: it raises for any status but 2xx, and reads every answer as JSON."""

import io
import os
from datetime import UTC, datetime

import wabclient
from wabclient.exceptions import AddressException

API, PASSWORD, DEMO, NUMBER = (os.environ[name] for name in ("API", "PASSWORD", "DEMO", "NUMBER"))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8
MP3 = b"ID3\x04" + bytes(1_000)
PDF = b"%PDF-1.7\n" + bytes(1_000)

client = wabclient.Client(API + "/")
config = client.config
client.connection = config.connection  # so one login is for both

_, expires = config.login("admin", PASSWORD)
assert 6.9 < (expires - datetime.now(UTC)).total_seconds() / 86_400 < 7.1
assert config.create_user("bob.smith", "Bob-Smith-1")["users"] == [{"username": "bob.smith"}]
config.set_password("bob.smith", "Bob-Smith-2")

config.set_settings(NUMBER, "https://shop.example/hook", sent_status=True)
found = config.get_settings()
assert (found["webhooks"]["url"], found["callback_backoff_delay_ms"]) == ("https://shop.example/hook", "3000")
assert (found["on_call_pager"], found["tcp_listen_address"]) == (NUMBER, "any")
config.set_settings(None, None)
assert not config.get_settings()["webhooks"]["url"]

config.set_about("Open from 9 to 17 h")
assert config.get_about() == "Open from 9 to 17 h"
config.set_business_profile(address="Main Street 1", vertical="Restaurant")
profile = config.get_business_profile()["profile"]
assert (profile["address"], profile["description"], profile["websites"]) == ("Main Street 1", "", [])
config.set_profile_photo(io.BytesIO(JPEG), "photo.jpg")
assert config.get_profile_photo().read() == JPEG
config.setup_shards("+" + NUMBER, 1)

(checked,) = client.check_contacts(["+" + DEMO], wait=True)["contacts"]
assert checked == {"input": "+" + DEMO, "status": "valid", "wa_id": DEMO}
try:
    client.get_address("+491700000001")
    raise AssertionError("a number that nobody has")
except AddressException:
    pass

answers = [
    client.send_message("+" + DEMO, "see https://shop.example", check_address=True),
    client.send_image(DEMO, "a.jpg", io.BytesIO(JPEG)),
    client.send_image(DEMO, "a.jpg", io.BytesIO(JPEG), "with words"),
    client.send_document(DEMO, "a.pdf", io.BytesIO(PDF), None),
    client.send_audio(DEMO, "a.mp3", io.BytesIO(MP3)),
]
assert all(answer["messages"][0]["id"].startswith("gBGG") for answer in answers)
size, body = client.download_media(config.connection.upload_media(io.BytesIO(PDF), "application/pdf"))
assert (size, body.read()) == (len(PDF), PDF)

client.session = config.connection.session  # groups log in by it
group = client.groups.create("Friends")
assert client.groups.list() == [{"id": group.id}]
client.groups.update_group(group.id, "Customers")
path = f"/v1/groups/{group.id}/participants"  # who takes part came by links to open; here somebody is added
assert config.connection.post(path, json={"wa_ids": [DEMO]}).status_code == 200
sent = client.send_message(group.id, "Hello all", recipient_type=client.GROUP_RECIPIENT)
assert sent["messages"][0]["id"].startswith("gBGG")
client.groups.remove_participants(group.id, [DEMO])

assert client.healthcheck()["health"]["gateway_status"] == "connected"
assert client.create_backup("Correct-Horse-2")
print("done")
