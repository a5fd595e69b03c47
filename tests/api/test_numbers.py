"""Several business numbers behind one front: a key opens its own, and an administrator names one in a header."""

import pytest

from tests.core.world import BUSINESS, CUSTOMER

from .real import trade

SECOND = "493023125001"
TEXT = {"to": CUSTOMER, "type": "text", "text": {"body": "Hello!"}}


@pytest.mark.covers("GET /v1/events", "GET /v1/messages/{id}")
@pytest.mark.covers("GET /v1/events", "GET /v1/health", "GET /v1/messages/{id}", 1006)
@pytest.mark.covers("POST /v1/account", 1005)
@pytest.mark.covers("POST /v1/messages", 1006, 1008)
def test_administrator_names_the_number_and_a_key_cannot_leave_its_own(tmp_path):
    async def main(b):
        token = await b.token()
        admin = {"Authorization": f"Bearer {token}"}
        b.world.core.serve(await b.world.core.make(SECOND))
        for_second = admin | {"X-Corefast-Account": "+49 30 23125001"}
        sent = await b.ask("POST", "/v1/messages", headers=for_second, json=TEXT)
        message = sent.json["messages"][0]["id"]
        assert sent.status == 201
        assert (await b.ask("GET", f"/v1/messages/{message}", headers=for_second)).status == 200

        unnamed = await b.ask("POST", "/v1/messages", headers=admin, json=TEXT)
        assert (unnamed.status, unnamed.v1_code) == (400, 1008) and "X-Corefast-Account" in unnamed.details
        for named in ("4930111", "none", "\u0663"):
            headers = admin | {"X-Corefast-Account": named}
            unknown = await b.ask("POST", "/v1/messages", headers=headers, json=TEXT)
            assert (unknown.status, unknown.v1_code) == (404, 1006)

        chat = {"id": CUSTOMER, "message": "Hello!"}
        assert (await b.ask("POST", "/api/v7/chat", headers=for_second, json=chat)).status == 201
        assert (await b.ask("POST", "/api/v7/chat", headers=admin, json=chat)).status == 400

        key = {"Authorization": f"Bearer {b.key}"}
        third = {"cc": "49", "phone_number": "3023125002", "method": "sms", "cert": "eA=="}
        refused = await b.ask("POST", "/v1/account", headers=key, json=third)
        assert (refused.status, refused.v1_code) == (403, 1005)
        named = key | {"X-Corefast-Account": SECOND}
        assert (await b.ask("POST", "/api/v7/chat", headers=named, json=chat)).status == 404
        assert (await b.ask("POST", "/v1/messages", headers=key, json=TEXT)).status == 201
        own = key | {"X-Corefast-Account": BUSINESS}
        assert (await b.ask("POST", "/v1/messages", headers=own, json=TEXT)).status == 201
        foreign = key | {"X-Corefast-Account": SECOND}
        for method, path in (("POST", "/v1/messages"), ("GET", "/v1/events"), ("GET", "/v1/health")):
            refused = await b.ask(method, path, headers=foreign, json=TEXT)
            assert (refused.status, refused.v1_code) == (404, 1006), path
        assert (await b.ask("GET", f"/v1/messages/{message}", headers=key)).status == 404
        events = (await b.ask("GET", "/v1/events", headers=key)).json["events"]
        assert all(message not in str(event) for event in events)

    trade(main, tmp_path)


@pytest.mark.covers("DELETE /v1/users/{username}", "GET /v1/users")
@pytest.mark.covers("DELETE /v1/users/{username}", 1005, 1006)
@pytest.mark.covers("GET /v1/users/{username}", "PUT /v1/users/{username}", 1006)
def test_users_of_one_number_are_404_to_the_keys_of_another(tmp_path):
    async def main(b):
        admin = {"Authorization": f"Bearer {await b.token()}"}
        b.world.core.serve(await b.world.core.make(SECOND))
        wanted = {"username": "ann.smith", "password": "Correct-Horse-1"}
        for_second = admin | {"X-Corefast-Account": SECOND}
        assert (await b.ask("POST", "/v1/users", headers=for_second, json=wanted)).status == 201
        foreign = {"Authorization": f"Bearer {b.key}"}
        for method, body in (("GET", None), ("PUT", {"password": "Correct-Horse-2"}), ("DELETE", None)):
            for name in ("ann.smith", "admin"):
                found = await b.ask(method, f"/v1/users/{name}", headers=foreign, json=body)
                refusal = (403, 1005) if (method, name) == ("DELETE", "admin") else (404, 1006)
                assert (found.status, found.v1_code) == refusal
        assert (await b.ask("GET", "/v1/users", headers=foreign)).json["users"] == []
        ann = {"Authorization": f"Bearer {await b.token('ann.smith', 'Correct-Horse-1')}"}
        assert (await b.ask("GET", "/v1/health", headers=ann)).status == 200
        assert (await b.ask("POST", "/v1/messages", headers=ann, json=TEXT)).status == 201
        assert (await b.ask("DELETE", "/v1/users/ann.smith", headers=admin)).status == 200

    trade(main, tmp_path)
