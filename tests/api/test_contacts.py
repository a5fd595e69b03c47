"""/v1/contacts: look-ups at a real relay, and identity keys that are acknowledged."""

import asyncio

import pytest
import uvloop

from tests.core.fake import Phone
from tests.core.world import CUSTOMER

from .numbers import desk
from .real import trade
from .test_account import FIRST, OTHER, SECOND, WANTED

TEXT = {"to": CUSTOMER, "type": "text", "text": {"body": "Hello!"}}


@pytest.mark.covers("POST /v1/contacts")
@pytest.mark.covers("POST /v1/contacts", 1008, 1009, 1015)
def test_contacts_are_told_with_their_input_as_it_was_sent(tmp_path):
    async def main():
        async with desk(tmp_path, registration="open", lookup_burst=5, lookup_refill=0.001, bulk=SECOND) as d:
            for wanted in (WANTED, OTHER):
                assert (await d.ask("POST", "/v1/account", wanted)).status == 201
            more = {"X-Corefast-Account": FIRST}
            body = {"contacts": ["+49 (30) 231-25001", "abc", "491700000009"], "blocking": "wait"}
            told = await d.ask("POST", "/v1/contacts", body, more=more)
            assert told.status == 200 and told.json["contacts"] == [
                {"input": "+49 (30) 231-25001", "status": "valid", "wa_id": SECOND},
                {"input": "abc", "status": "invalid"},
                {"input": "491700000009", "status": "invalid"},
            ]
            many = [f"49171000{at:04}" for at in range(20)]
            throttled = await d.ask("POST", "/v1/contacts", {"contacts": many, "blocking": "wait"}, more=more)
            assert (throttled.status, throttled.v1_code) == (429, 1015) and int(throttled.headers["retry-after"]) > 0
            exempt = {"contacts": many, "blocking": "wait"}
            assert (await d.ask("POST", "/v1/contacts", exempt, more={"X-Corefast-Account": SECOND})).status == 200
            for wrong, code in (
                ({}, 1008),
                ({"contacts": []}, 1008),
                ({"contacts": "x"}, 1009),
                ({"contacts": [1]}, 1009),
            ):
                refused = await d.ask("POST", "/v1/contacts", wrong, more=more)
                assert (refused.status, refused.v1_code) == (400, code)
            blocking = await d.ask("POST", "/v1/contacts", {"contacts": ["1"], "blocking": "maybe"}, more=more)
            assert (blocking.status, blocking.v1_code) == (400, 1009)

    uvloop.run(main())


@pytest.mark.covers("GET /v1/contacts/{wa_id}/identity", "PUT /v1/contacts/{wa_id}/identity")
@pytest.mark.covers("GET /v1/contacts/{wa_id}/identity", 1006, 1009)
@pytest.mark.covers("PUT /v1/contacts/{wa_id}/identity", 1008, 1009)
@pytest.mark.covers("POST /v1/messages", 1028)
def test_new_identity_key_has_to_be_acknowledged_before_a_message_leaves(tmp_path):
    async def main(b):
        path = f"/v1/contacts/{CUSTOMER}/identity"
        unseen = await b.ask("GET", path)
        assert (unseen.status, unseen.v1_code) == (404, 1006)
        assert (await b.ask("POST", "/v1/messages", json=TEXT)).status == 201
        await b.world.statuses(2)
        first = (await b.ask("GET", path)).json["contacts"]
        assert first["acknowledged"] is True and first["created_timestamp"] > 0

        b.world.relay.replace(Phone(CUSTOMER))
        assert (await b.ask("POST", "/v1/messages", json=TEXT)).status == 201
        async with asyncio.timeout(20):
            while (second := (await b.ask("GET", path)).json["contacts"])["acknowledged"]:
                await asyncio.sleep(0.01)
        assert second["hash"] != first["hash"]
        barred = await b.ask("POST", "/v1/messages", json=TEXT)
        assert (barred.status, barred.v1_code) == (403, 1028)
        stale = await b.ask("PUT", path, json={"hash": first["hash"]})
        assert (stale.status, stale.v1_code) == (409, 1009)
        assert (await b.ask("PUT", path, json={})).v1_code == 1008
        assert (await b.ask("PUT", path, json={"hash": second["hash"]})).status == 200
        assert (await b.ask("GET", path)).json["contacts"]["acknowledged"] is True
        assert (await b.ask("POST", "/v1/messages", json=TEXT)).status == 201
        assert (await b.ask("GET", "/v1/contacts/five/identity")).v1_code == 1009

    trade(main, tmp_path, identity_policy="block")
