"""Users and login, from HTTP down to the core's database."""

import asyncio
import json
from pathlib import Path

import aiohttp
import jwt
import pytest

from api.config import UserConfig
from api.errors import V1_TITLES
from api.user import act
from corefast.config import load
from corefast.core.account.guessing import FREE_TRIES
from corefast.core.account.tokens import TOKEN_LIFE_S
from corefast.errors import SetupError

from .real import PASSWORD, Business, trade

NEW = {"username": "ann.smith", "password": "Correct-Horse-1"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.covers("POST /v1/users/login")
def test_a_login_gives_a_token_that_works_for_seven_days(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        reply = await b.login()
        assert reply.status == 200 and set(reply.json) == {"users", "meta"}
        (told,) = reply.json["users"]
        assert told["token"].count(".") == 2 and told["expires_after"].endswith("+00:00")
        send = {"to": "49123123456", "text": {"body": "hi"}}
        assert (await b.ask("POST", "/v1/messages", headers=bearer(told["token"]), json=send)).status == 201
        b.world.clock.now_ms += TOKEN_LIFE_S * 1_000 + 1_000
        await asyncio.sleep(0.6)  # what the front remembers
        late = await b.ask("POST", "/v1/messages", headers=bearer(told["token"]), json=send)
        assert (late.status, late.v1_code) == (401, 1005)

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/users/login", 1005)
def test_wrong_credentials_are_refused_alike(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        wrong = (("admin", "wrong"), ("nobody", PASSWORD), ("admin", ""), ("", PASSWORD), ("Admin", PASSWORD))
        for username, password in wrong:
            reply = await b.login(username, password)
            assert (reply.status, reply.v1_code) == (401, 1005)
            assert reply.headers["www-authenticate"] == 'Basic realm="Secured"'
            assert reply.details == "user name or password is wrong"

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/users/login")
@pytest.mark.covers("POST /v1/users/login", 1005, 1009, 1024)
def test_the_originals_first_login_is_good_for_a_new_password_alone(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        for body in ({}, {"other": 1}):
            reply = await b.login("admin", "secret", **body)
            assert (reply.status, reply.v1_code) == (401, 1024)
            assert reply.json["errors"][0]["title"] == V1_TITLES[1024]
        assert (await b.login("admin", "secret", new_password="secret")).v1_code == 1009
        assert (await b.login("admin", "secret", new_password="Other-Pass-2")).status == 200
        assert (await b.login("admin", "secret")).v1_code == 1005
        assert (await b.login("admin", "Other-Pass-2")).status == 200

    trade(main, tmp_path, admin_password="", compat_first_login=True)


@pytest.mark.covers("POST /v1/users/login")
@pytest.mark.covers("POST /v1/users/login", 1005)
def test_without_a_given_password_a_random_one_is_made_up_once(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        first = b.world.core.users.first_password
        assert len(first) >= 20
        assert (await b.login("admin", "secret")).status == 401
        assert (await b.login("admin", first)).status == 200
        await b.world.restart()
        assert b.world.core.users.first_password == ""

    trade(main, tmp_path, admin_password="")


@pytest.mark.covers("POST /v1/users/login", 1025)
def test_a_body_that_is_no_json_is_1025(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        headers = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
        reply = await b.ask("POST", "/v1/users/login", headers=headers, data=b"{")
        assert (reply.status, reply.v1_code) == (400, 1025)
        assert reply.details.startswith("Unable to decode json from the request: Syntax error")

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/users", "POST /v1/users/login", "POST /v1/users/logout")
@pytest.mark.covers("GET /v1/users", 1005)
def test_logout_ends_the_token_on_every_front_and_after_a_restart(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        token, other = await b.token(), await b.token()
        assert (await b.ask("POST", "/v1/users/logout", headers=bearer(token))).status == 200
        assert (await b.ask("GET", "/v1/users", headers=bearer(token))).status == 401
        assert (await b.ask("GET", "/v1/users", headers=bearer(other))).status == 200

    trade(main, tmp_path)


@pytest.mark.covers(
    "DELETE /v1/users/{username}",
    "GET /v1/users",
    "GET /v1/users/{username}",
    "POST /v1/users",
    "POST /v1/users/login",
    "PUT /v1/users/{username}",
)
@pytest.mark.covers("DELETE /v1/users/{username}", "POST /v1/users/login", 1005)
@pytest.mark.covers("GET /v1/users/{username}", 1005, 1006)
@pytest.mark.covers("POST /v1/users", 1014)
def test_an_administrator_makes_shows_changes_and_deletes_users(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        headers = bearer(await b.token())
        made = await b.ask("POST", "/v1/users", headers=headers, json=NEW)
        assert (made.status, made.json["users"]) == (201, [{"username": "ann.smith"}])
        again = await b.ask("POST", "/v1/users", headers=headers, json=NEW)
        assert again.v1_code == 1014 and "exist" in again.details
        seen = await b.ask("GET", "/v1/users/ann.smith", headers=headers)
        assert seen.json["users"] == [{"username": "ann.smith", "ROLES": "ROLE_USER"}]
        everybody = (await b.ask("GET", "/v1/users", headers=headers)).json["users"]
        assert [(each["username"], each["ROLES"]) for each in everybody] == [
            ("admin", "ROLE_ADMIN"),
            ("ann.smith", "ROLE_USER"),
        ]
        changed = await b.ask("PUT", "/v1/users/ann.smith", headers=headers, json={"password": "New-Horse-22"})
        assert (changed.status, changed.json["users"]) == (200, [{"username": "ann.smith"}])
        assert (await b.login("ann.smith", NEW["password"])).status == 401
        hers = bearer(await b.token("ann.smith", "New-Horse-22"))
        assert (await b.ask("DELETE", "/v1/users/ann.smith", headers=headers)).status == 200
        await asyncio.sleep(0.6)  # what the front remembers
        assert (await b.ask("GET", "/v1/users/ann.smith", headers=hers)).status == 401
        assert (await b.ask("GET", "/v1/users/ann.smith", headers=headers)).v1_code == 1006
        assert (await b.ask("DELETE", "/v1/users/admin", headers=headers)).v1_code == 1005

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/users", "POST /v1/users/login", "PUT /v1/users/{username}")
@pytest.mark.covers(
    "DELETE /v1/users/{username}",
    "GET /v1/users",
    "GET /v1/users/{username}",
    "POST /v1/users",
    "PUT /v1/users/{username}",
    1005,
)
def test_a_user_sends_and_changes_the_own_password_but_not_other_users(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        admin = bearer(await b.token())
        await b.ask("POST", "/v1/users", headers=admin, json=NEW)
        hers = bearer(await b.token(NEW["username"], NEW["password"]))
        send = {"to": "49123123456", "text": {"body": "hi"}}
        assert (await b.ask("POST", "/v1/messages", headers=hers, json=send)).status == 201
        for method, path, body in (
            ("GET", "/v1/users", None),
            ("POST", "/v1/users", NEW),
            ("GET", "/v1/users/admin", None),
            ("PUT", "/v1/users/admin", {"password": "Stolen-Pass-9"}),
            ("DELETE", "/v1/users/ann.smith", None),
        ):
            refused = await b.ask(method, path, headers=hers, json=body)
            assert (refused.status, refused.v1_code) == (403, 1005), (method, path)
        own = await b.ask("PUT", "/v1/users/ann.smith", headers=hers, json={"password": "New-Horse-22"})
        assert own.status == 200
        await asyncio.sleep(0.6)  # what the front remembers
        assert (await b.ask("GET", "/v1/users/ann.smith", headers=hers)).status == 401

    trade(main, tmp_path)


RULES: list[tuple[dict[str, object], int]] = [
    ({"password": "short-A1"[:7]}, 1009),
    ({"password": "nouppercase-1"}, 1009),
    ({"password": "NOLOWERCASE-1"}, 1009),
    ({"password": "NoDigits-here"}, 1009),
    ({"password": "NoSpecial11"}, 1009),
    ({"password": "Aa1-" * 17}, 1009),
    ({"password": ""}, 1008),
    ({"password": 5}, 1009),
    ({"password": None}, 1009),
    ({"username": "abc"}, 1009),
    ({"username": "a" * 33}, 1009),
    ({"username": "with space"}, 1009),
    ({"username": ""}, 1008),
]


@pytest.mark.covers("POST /v1/users", 1008, 1009)
def test_what_breaks_the_rules_names_the_field(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        for change, code in RULES:
            reply = await b.ask("POST", "/v1/users", json=NEW | change)
            assert (reply.status, reply.v1_code) == (400, code), change
            assert f"`{next(iter(change))}`" in reply.details

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/users/login")
@pytest.mark.covers("POST /v1/users/login", 1005, 1015)
def test_guessing_waits_longer_and_longer_and_harms_nobody_else(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        for _ in range(FREE_TRIES):
            assert (await b.login("admin", "wrong")).status == 401
        throttled = await b.login("admin", PASSWORD)
        assert (throttled.status, throttled.v1_code, throttled.headers["retry-after"]) == (429, 1015, "1")
        b.world.clock.now_ms += 1_001
        assert (await b.login("admin", "wrong")).status == 401
        b.world.clock.now_ms += 1_001
        assert (await b.login("admin", PASSWORD)).status == 429
        b.world.clock.now_ms += 1_000
        assert (await b.login("admin", PASSWORD)).status == 200
        assert (await b.login("admin", "wrong")).status == 401

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/users/login")
def test_neither_password_nor_token_nor_hash_is_on_the_disk_in_clear(tmp_path: Path) -> None:
    tokens: list[str] = []

    async def main(b: Business) -> None:
        tokens.append(await b.token())

    trade(main, tmp_path)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "core").iterdir() if path.is_file())
    assert b"api_user" in stored
    for secret in (PASSWORD, "$argon2", tokens[0], tokens[0].split(".")[2]):
        assert secret.encode() not in stored


@pytest.mark.covers("POST /v1/users/login")
@pytest.mark.covers("GET /v1/users", 1005)
def test_a_forged_token_is_refused(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        token = await b.token()
        head, body, mac = token.split(".")
        claims = jwt.decode(token, options={"verify_signature": False})
        for forged in (
            jwt.encode(claims, None, "none"),
            jwt.encode(claims, b"k" * 32, "HS256"),
            f"{head}.{body}.{mac[:-4]}",
            f"{head}.{jwt.encode(claims | {'user': 'root'}, b'k' * 32).split('.')[1]}.{mac}",
            "..",
        ):
            reply = await b.ask("GET", "/v1/users", headers=bearer(forged))
            assert (reply.status, reply.v1_code) == (401, 1005)

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/users/login")
@pytest.mark.covers("POST /v1/users/login", 1005)
def test_the_command_line_sets_a_forgotten_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def main(b: Business) -> None:
        def run(*words: str, password: str = "") -> UserConfig:
            place = ("--data", str(tmp_path), "--core", f"127.0.0.1:{b.world.port}", "--json")
            return load(UserConfig, "user", (*words, *place), {"COREFAST_PASSWORD": password} if password else {})

        await act(run("add", "ann.smith", password="Correct-Horse-1"))
        await act(run("password", "admin", password="Other-Pass-2"))
        assert (await b.login("admin", PASSWORD)).status == 401
        assert (await b.login("admin", "Other-Pass-2")).status == 200
        capsys.readouterr()
        await act(run("list"))
        assert [user["username"] for user in json.loads(capsys.readouterr().out)["users"]] == ["admin", "ann.smith"]
        await act(run("remove", "ann.smith"))
        for words, password, complaint in (
            (("remove", "ann.smith"), "", "no such user"),
            (("password", "admin"), "weak", "needs 8 to 64 characters"),
            (("password",), "x", "whom"),
            (("rename", "admin"), "", "there are list, add"),
        ):
            with pytest.raises(SetupError, match=complaint):
                await act(run(*words, password=password))

    trade(main, tmp_path)
