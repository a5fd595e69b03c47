"""whatsappez: the first login with the original's password, then what an administrator does."""

import base64
import os
import sys
import time

import requests
import whatsappez

API, PASSWORD, DEMO, NUMBER = (os.environ[name] for name in ("API", "PASSWORD", "DEMO", "NUMBER"))


def basic(password: str) -> str:
    return base64.b64encode(f"admin:{password}".encode()).decode()


if "first" in sys.argv:
    refused = requests.post(f"{API}/v1/users/login", auth=("admin", "secret"))
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (401, 1024)
    assert whatsappez.WhatsApp(API, basic("secret"), PASSWORD).jwt_token.count(".") == 2
    sys.exit(print("done"))

client = whatsappez.WhatsApp(API, basic(PASSWORD), PASSWORD)
whatsappez.WhatsApp(API, basic(PASSWORD), PASSWORD)  # a second one sets the same password again, and ends no token
users = client.user
assert users.createUser("ann.smith", "Ann-Smith-1")["users"] == [{"username": "ann.smith"}]
assert users.createUser("ann.smith", "Ann-Smith-1")["errors"][0]["code"] == 1014
assert users.getAdmin("admin")["users"] == [{"username": "admin", "ROLES": "ROLE_ADMIN"}]
assert users.getUser("ann.smith")["users"] == [{"username": "ann.smith", "ROLES": "ROLE_USER"}]
assert users.deleteUser("ann.smith")["users"] == [{"username": "ann.smith"}]

sent = client.message.send({"to": DEMO, "type": "text", "text": {"body": "Hello from whatsappez"}})
assert sent["messages"][0]["id"].startswith("gBGG")
headers = {"Authorization": f"Bearer {client.jwt_token}"}
echoes, until = [], time.monotonic() + 20
while not echoes and time.monotonic() < until:
    events = requests.get(f"{API}/v1/events", params={"wait": 1, "limit": 1000}, headers=headers).json()["events"]
    echoes = [message["id"] for event in events for message in event["body"].get("messages", [])]
assert "errors" not in client.message.read(echoes[0])
assert client.message.read("nonsense")["errors"][0]["code"] == 1006

settings = whatsappez.WhatsApp.Settings(API, client.jwt_token)
assert settings.getSettings()["settings"]["application"]["wa_id"] == NUMBER
assert settings.getShards()["account"] == {"shards": 1}
assert "errors" not in settings.updateSettings({"callback_persist": True, "max_callback_backoff_delay_ms": "900000"})
assert "errors" not in settings.updateMediaProvider("cdn1", {"bearer": "x"})
assert settings.getMediaProvider()["settings"]["application"]["media"]["providers"][0]["name"] == "cdn1"
assert "errors" not in settings.deleteMediaProvider("cdn1")
assert settings.backupSettings("Correct-Horse-2")["settings"]["data"]
assert settings.getProfile()["settings"]["business"]["profile"]["websites"] == []
assert "errors" not in settings.setProfile({"address": "Main Street 1", "websites": []})
assert "errors" not in settings.setComplianceInfo(*["Shop Ltd", "LIMITED", "", True] + [""] * 7)
assert settings.getComplianceInfo()["settings"]["business"]["compliance_info"]["entity_name"] == "Shop Ltd"
assert "errors" not in settings.deleteAppSettings()

# It writes /v1/account/ with a slash, and to a fixed address.
registration = whatsappez.WhatsApp.Registration(client.jwt_token)
registration.base_url = f"{API}/v1/account"
assert "errors" not in registration.request_code(NUMBER[:2], NUMBER[2:], "sms", base64.b64encode(b"Shop").decode())
assert registration.verify_registration("123-456")["errors"][0]["code"] == 1005

assert "errors" not in users.logoutUser()
assert settings.getShards()["errors"][0]["code"] == 1005
print("done")
