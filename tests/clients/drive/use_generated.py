"""whatsapp-business-api-client, generated from a description of the API: answers and webhooks fit its models."""

import base64
import contextlib
import importlib
import io
import os
from typing import Any

import httpx
from whatsapp_business_api_client import AuthenticatedClient, models
from whatsapp_business_api_client.types import File

API, PASSWORD, DEMO, NUMBER = (os.environ[name] for name in ("API", "PASSWORD", "DEMO", "NUMBER"))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8


def call(name: str, *arguments: Any, status: int = 200, by: AuthenticatedClient | None = None, **more: Any) -> Any:
    """Run one operation, *group.name*; return what its model made of the answer."""
    module = importlib.import_module(f"whatsapp_business_api_client.api.{name}")
    answer = module.sync_detailed(*arguments, client=by or client, **more)
    assert answer.status_code == status, (name, answer.status_code, answer.content)
    return answer.parsed


client = AuthenticatedClient(f"{API}/v1", token="")
basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
door = client.with_headers({"Authorization": f"Basic {basic}"})
# It renews its token with an empty new_password.
(user,) = call("users.login_user", by=door, json_body=models.LoginAdminRequest(new_password="")).users
assert user.expires_after.utcoffset().total_seconds() == 0
client = AuthenticatedClient(f"{API}/v1", token=user.token)

call("users.create_user", status=201, json_body=models.CreateUserRequest("Eve-Smith-1", "eve.smith"))
assert str(call("users.get_user", "eve.smith").users[0].roles) == "ROLE_USER"
call("users.update_user", "eve.smith", json_body=models.UpdateUserRequest("Eve-Smith-2"))
call("users.delete_user", "eve.smith")

settings = models.UpdateApplicationSettingsRequestBody(
    callback_persist=True,
    callback_backoff_delay_ms="3000",
    webhooks=models.Webhooks(models.WebhooksMaxConcurrentRequests(6), "https://shop.example/hook"),
)
with contextlib.suppress(AttributeError):  # it stumbles over its own reader of any answer to this
    call("application.update_application_settings", json_body=settings)
told = httpx.get(f"{API}/v1/settings/application", headers=client.get_headers()).json()["settings"]["application"]
assert told["webhooks"]["url"] == "https://shop.example/hook" and told["callback_backoff_delay_ms"] == "3000"
call("application.get_application_settings")
call("application.get_media_providers")
call("application.reset_application_settings")
shards = models.SetShardsRequest(NUMBER[:2], NUMBER[2:], "", models.SetShardsRequestShards(1))
call("application.set_shards", status=201, json_body=shards)
assert call("backup_restore.backup_settings", json_body=models.BackupSettingsRequest("Correct-Horse-2")).settings.data

profile = models.SetBusinessProfileRequest("Main Street 1", "", "", "", [])
call("business_profile.update_business_profile", json_body=profile)
assert call("business_profile.get_business_profile").settings.business.profile.address == "Main Street 1"
call("profile.update_profile_about", json_body=models.SetProfileAboutRequest("Open"))
assert call("profile.get_profile_about").settings.profile.about.text == "Open"
photo = models.ProfilePhotoBody(File(io.BytesIO(JPEG), "photo.jpg", "image/jpeg"))
call("profile.update_profile_photo", multipart_data=photo)
link = call("profile.get_profile_photo", format_="link").settings.profile.photo.link
assert httpx.get(link, headers=client.get_headers()).content == JPEG
call("default.delete_profile_photo")
call("profile.get_profile_photo", status=404)

call("certificates.download_ca_certificate")
call("certificates.download_webhook_ca_certificate", status=404)
for name in ("check_health", "get_app_stats", "get_db_stats", "get_support_info", "get_metrics"):
    call(f"health.{name}")

wanted = models.CheckContactRequest(["+" + DEMO], models.CheckContactRequestBlocking.WAIT)
(contact,) = call("contacts.check_contact", json_body=wanted).contacts
assert (str(contact.status), contact.wa_id) == ("valid", DEMO)
send = models.SendTextMessageRequest
for message in (
    send(DEMO, text=models.Text("Hello"), type=models.MessageType.TEXT, ttl=models.SendTextMessageRequestTtl()),
    send(DEMO, location=models.Location("Main Street 1", 52.5, 13.4, "Shop"), type=models.MessageType.LOCATION),
    send(DEMO, contacts=[models.Contact(name=models.Name("Ann Smith", "Ann"))], type=models.MessageType.CONTACTS),
):
    call("messages.send_message", status=201, json_body=message)

call("two_step_verification.enable_two_step", json_body=models.EnableTwoStepRequest("123456"))
call("two_step_verification.disable_two_step")
code = models.RequestCodeRequest(NUMBER[:2], basic, models.RequestCodeRequestMethod("sms"), NUMBER[2:], "")
call("registration.request_code", status=201, json_body=code)

seen, read, after = set(), "", ""
while not {"sent", "delivered", "read", "text"} <= seen:
    query = {"after": after, "wait": 5, "limit": 1000}
    page = httpx.get(f"{API}/v1/events", params=query, headers=client.get_headers(), timeout=10).json()
    assert page["events"], seen
    after = page["cursor"]
    for event in page["events"]:
        told = models.RootTypeForWebhookEvent.from_dict(event["body"])
        seen |= {str(status.status) for status in told.statuses or ()} | {
            message.type for message in told.messages or ()
        }
        read = next((message.id for message in told.messages or ()), read)
call("messages.mark_message_as_read", read, json_body=models.MarkMessageAsReadRequest("read"))
call("users.logout_user")
print("done")
