"""Numbers registered over the API, at a real relay."""

from base64 import b64encode

import pytest
import uvloop

from api.vname import name_in
from corefast.store.database import Statement

from .numbers import desk

FIRST, SECOND = "493023125000", "493023125001"
CERT = b64encode(b"Example GmbH").decode()
WANTED = {"cc": "49", "phone_number": "30 23125000", "method": "sms", "cert": CERT}
OTHER = WANTED | {"phone_number": "30-23125001"}
TEXT = {"to": SECOND, "type": "text", "text": {"body": "Hello!"}}


def named(number):
    return {"X-Corefast-Account": number}


@pytest.mark.covers("POST /v1/account", "POST /v1/account/verify")
@pytest.mark.covers("POST /v1/account/verify", 1005)
def test_number_is_registered_with_a_code_even_when_the_core_starts_again_in_between(tmp_path):
    async def main():
        async with desk(tmp_path, registration="code") as d:
            assert (await d.ask("GET", "/v1/health")).json["health"]["gateway_status"] == "unregistered"
            early = await d.ask("POST", "/v1/account/verify", {"code": "x"})
            assert (early.status, early.v1_code) == (403, 1005)
            begun = await d.ask("POST", "/v1/account", WANTED)
            assert (begun.status, begun.json) == (202, {"account": [{"vname": "Example GmbH"}]})
            unknown = await d.ask("POST", "/v1/messages", TEXT)
            assert (unknown.status, unknown.v1_code) == (404, 1006)
            identity = next(iter(d.core.registrations._waiting.values())).context.own.identity.public

            await d.stop()
            await d.start()
            wrong = await d.ask("POST", "/v1/account/verify", {"code": "AAAA-BBBB"})
            assert (wrong.status, wrong.v1_code) == (403, 1005) and "issue-code" in wrong.details
            code = await d.relay.admission.issue_code(FIRST)
            assert (await d.ask("POST", "/v1/account/verify", {"code": code})).status == 201
            assert d.core.find(FIRST).context.own.identity.public == identity
            again = await d.ask("POST", "/v1/account", WANTED)
            assert again.status == 201 and set(again.json) == {"meta"}
            await d.core.find(FIRST).relay.peer()
            assert (await d.ask("GET", "/v1/health")).json["health"]["gateway_status"] == "connected"
            assert (await d.ask("POST", "/v1/messages", TEXT)).status == 201

            assert (await d.ask("POST", "/v1/account", OTHER)).status == 202
            code = await d.relay.admission.issue_code(SECOND)
            assert (await d.ask("POST", "/v1/account/verify", {"code": code}, more=named(SECOND))).status == 201
            await d.stop()
            await d.start()
            assert d.core.directory.numbers == [FIRST, SECOND]
            assert (await d.ask("POST", "/v1/messages", TEXT, more=named(FIRST))).status == 201

    uvloop.run(main())


@pytest.mark.covers("GET /v1/account/shards", "POST /v1/account", "POST /v1/account/shards")
@pytest.mark.covers("POST /v1/account/shards", 1005, 1006, 1009)
def test_open_relay_registers_at_once_and_one_core_writes_to_the_others_number(tmp_path):
    async def main():
        async with desk(tmp_path, registration="open") as d:
            for wanted in (WANTED, OTHER):
                assert (await d.ask("POST", "/v1/account", wanted)).status == 201
            for number, other in ((FIRST, SECOND), (SECOND, FIRST)):
                sent = await d.ask("POST", "/v1/messages", TEXT | {"to": other}, more=named(number))
                assert sent.status == 201
            for number, other in ((FIRST, SECOND), (SECOND, FIRST)):
                found, after = [], ""
                while not found:
                    path = f"/v1/events?wait=5&after={after}"
                    page = (await d.ask("GET", path, more=named(number))).json
                    found = [each for each in page["events"] if each["kind"] == "message"]
                    after = page["cursor"]
                assert found[0]["body"]["messages"][0]["from"] == other
                assert found[0]["body"]["contacts"][0]["profile"] == {"name": "Example GmbH"}

            assert (await d.ask("GET", "/v1/account/shards", more=named(FIRST))).json == {"account": {"shards": 1}}
            shards = {"cc": "49", "phone_number": "3023125000", "shards": 1}
            assert (await d.ask("POST", "/v1/account/shards", shards)).status == 201
            refused = await d.ask("POST", "/v1/account/shards", shards | {"shards": 4})
            assert (refused.status, refused.v1_code) == (403, 1005)
            assert (await d.ask("POST", "/v1/account/shards", shards | {"shards": 3})).v1_code == 1009
            assert (await d.ask("POST", "/v1/account/shards", shards | {"phone_number": "3011111"})).status == 404

    uvloop.run(main())


@pytest.mark.covers("DELETE /v1/account")
@pytest.mark.covers("DELETE /v1/account", 1005, 1006, 1008)
def test_registration_that_waits_for_its_code_is_ended_and_may_be_begun_anew(tmp_path):
    async def main():
        async with desk(tmp_path, registration="code") as d:
            none = await d.ask("DELETE", "/v1/account")
            assert (none.status, none.v1_code) == (404, 1006)
            for wanted in (WANTED, OTHER):
                assert (await d.ask("POST", "/v1/account", wanted)).status == 202
            identity = d.core.registrations._waiting[SECOND].context.own.identity.public
            assert (await d.ask("DELETE", "/v1/account")).v1_code == 1008
            assert (await d.ask("DELETE", "/v1/account", more=named(SECOND))).status == 200
            assert (await d.ask("DELETE", "/v1/account", more=named(SECOND))).v1_code == 1006
            for table in ("account", "own_prekey", "setting"):
                left = Statement(f"SELECT count(*) FROM {table} WHERE account = 2")  # noqa: S608
                assert await d.core.process.database.fetch(left) == [(0,)], table
            await d.stop()
            await d.start()
            assert list(d.core.registrations._waiting) == [FIRST]
            assert (await d.ask("POST", "/v1/account", OTHER)).status == 202
            assert d.core.registrations._waiting[SECOND].context.own.identity.public != identity
            code = await d.relay.admission.issue_code(SECOND)
            assert (await d.ask("POST", "/v1/account/verify", {"code": code}, more=named(SECOND))).status == 201
            at_work = await d.ask("DELETE", "/v1/account", more=named(SECOND))
            assert (at_work.status, at_work.v1_code) == (403, 1005) and "at work" in at_work.details
            assert (await d.ask("DELETE", "/v1/account")).status == 200
            assert d.core.directory.numbers == [SECOND] and not d.core.registrations._waiting

    uvloop.run(main())


@pytest.mark.covers("POST /v1/account", "POST /v1/settings/account/two-step")
@pytest.mark.covers("POST /v1/account", 1005)
@pytest.mark.covers("POST /v1/settings/account/two-step", 1009)
def test_number_with_a_pin_moves_to_who_knows_it(tmp_path):
    async def main():
        async with desk(tmp_path, registration="open") as d:
            assert (await d.ask("POST", "/v1/account", WANTED)).status == 201
            assert (await d.ask("POST", "/v1/settings/account/two-step", {"pin": "12345"})).v1_code == 1009
            assert (await d.ask("POST", "/v1/settings/account/two-step", {"pin": "482913"})).status == 200
            await d.stop()
            await d.start("another")
            taken = await d.ask("POST", "/v1/account", WANTED)
            assert (taken.status, taken.v1_code) == (403, 1005) and "pin" in taken.details
            wrong = await d.ask("POST", "/v1/account", WANTED | {"pin": "111111"})
            assert (wrong.status, wrong.v1_code) == (403, 1005) and "pin is wrong" in wrong.details
            waits = await d.ask("POST", "/v1/account", WANTED | {"pin": "482913"})
            assert (waits.status, waits.v1_code) == (403, 1005) and "wait" in waits.details
            assert (await d.ask("GET", "/v1/health")).json["health"]["gateway_status"] == "unregistered"

    uvloop.run(main())


@pytest.mark.covers("DELETE /v1/settings/account/two-step", "POST /v1/account", "POST /v1/settings/account/two-step")
def test_pin_is_taken_away_again(tmp_path):
    async def main():
        async with desk(tmp_path, registration="open") as d:
            assert (await d.ask("POST", "/v1/account", WANTED)).status == 201
            assert (await d.ask("POST", "/v1/settings/account/two-step", {"pin": "482913"})).status == 200
            assert (await d.ask("DELETE", "/v1/settings/account/two-step")).status == 200
            await d.stop()
            await d.start("another")
            assert (await d.ask("POST", "/v1/account", WANTED | {"pin": "482913"})).status == 201

    uvloop.run(main())


@pytest.mark.covers("POST /v1/account")
@pytest.mark.covers("GET /v1/account/shards", 1006)
@pytest.mark.covers("POST /v1/account", 1008, 1009, 1011)
@pytest.mark.covers("POST /v1/account/verify", 1008)
def test_what_cannot_be_registered_says_what_to_change(tmp_path):
    async def main():
        async with desk(tmp_path, registration="code") as d:
            for change, code in (
                ({"cc": "x"}, 1009),
                ({"cc": 49}, 1009),
                ({"cc": None}, 1009),
                ({"phone_number": "1"}, 1009),
                ({"phone_number": "\0"}, 1009),
                ({"method": "fax"}, 1009),
                ({"cert": "!"}, 1009),
                ({"cert": ""}, 1008),
                ({"pin": "12"}, 1009),
            ):
                refused = await d.ask("POST", "/v1/account", WANTED | change)
                assert (refused.status, refused.v1_code) == (400, code), change
            assert (await d.ask("POST", "/v1/account", {"cc": "49"})).v1_code == 1008
            assert (await d.ask("POST", "/v1/account/verify", {})).v1_code == 1008
            raw = WANTED | {"cert": b64encode(b"\xff\0").decode()}
            assert (await d.ask("POST", "/v1/account", raw)).json == {"account": [{"vname": FIRST}]}
            assert (await d.ask("GET", "/v1/account/shards")).status == 404
            await d.relay.close()
            away = await d.ask("POST", "/v1/account", WANTED)
            assert (away.status, away.v1_code) == (503, 1011)

    uvloop.run(main())


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


DETAILS = b"\x08\x96\x01" + field(2, b"ent:wa") + field(4, "Käse & Söhne".encode())
ORIGINAL = field(1, DETAILS) + field(2, b"\xff" * 64)


@pytest.mark.parametrize(
    ("cert", "name"),
    [
        (ORIGINAL, "Käse & Söhne"),
        (b"ACME GmbH\n", "ACME GmbH"),
        (ORIGINAL[:-1], ""),
        (field(1, DETAILS + b"\x80" * 11), ""),
        (field(1, field(4, b"a\0b")), ""),
        (field(1, field(4, b"x" * 120) + field(4, b"\xff")), ""),
        (b"\x0b\0", ""),
        (b"\x0a", ""),
    ],
)
def test_name_is_that_of_the_originals_certificate_or_the_text_itself(cert, name):
    assert name_in(b64encode(cert).decode()) == name


@pytest.mark.covers("POST /v1/account")
def test_number_at_work_is_named_by_its_certificate_where_it_has_no_name(tmp_path):
    async def main():
        async with desk(tmp_path, registration="open") as d:
            assert (await d.ask("POST", "/v1/account", WANTED | {"cert": b64encode(b"\0").decode()})).status == 201
            for cert in (ORIGINAL, b"Another name"):
                again = await d.ask("POST", "/v1/account", WANTED | {"cert": b64encode(cert).decode()})
                assert again.status == 201
                profile = (await d.ask("GET", "/v1/settings/business/profile")).json["settings"]["business"]["profile"]
                assert profile["name"] == "Käse & Söhne"

    uvloop.run(main())


@pytest.mark.covers("POST /v1/settings/backup", "POST /v1/settings/restore")
def test_an_account_goes_from_one_core_to_another_by_a_backup(tmp_path):
    async def main():
        async with desk(tmp_path, registration="open") as d:
            assert (await d.ask("POST", "/v1/account", WANTED)).status == 201
            assert (await d.ask("PATCH", "/v1/settings/profile/about", {"text": "Open"})).status == 200
            made = await d.ask("POST", "/v1/settings/backup", {"password": "Correct-Horse-1"})
            await d.stop()
            await d.start("another")
            taken = {"password": "Correct-Horse-1", "data": made.json["settings"]["data"]}
            assert (await d.ask("POST", "/v1/settings/restore", taken)).status == 200
            about = (await d.ask("GET", "/v1/settings/profile/about")).json["settings"]["profile"]["about"]
            assert about == {"text": "Open"}
            assert (await d.ask("POST", "/v1/settings/restore", taken)).v1_code == 1005

    uvloop.run(main())
