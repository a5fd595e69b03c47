"""API keys at the front, with the clock in the test's hand."""

import asyncio
import hashlib

import pytest
import uvloop

from api.auth import Keys
from corefast.errors import CorefastError, Overloaded
from corefast.limits import KEY_CACHE_MS, MAX_KEY_CHECKS
from corefast.wire.gateway import CheckKey, Scope

from ..support.fake_core import KEY, FakeCore, check_key


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


def checks(core: FakeCore) -> int:
    return sum(isinstance(call, CheckKey) for call in core.calls)


def test_the_core_sees_a_digest_and_never_the_key():
    async def main():
        core = FakeCore()
        await Keys(core, Clock()).require_token(KEY.encode(), Scope.SEND)
        assert core.calls == [CheckKey(hashlib.sha256(KEY.encode()).digest())]

    uvloop.run(main())


def test_a_good_answer_is_used_for_half_a_second_and_no_longer():
    async def main():
        core, clock = FakeCore(), Clock()
        keys = Keys(core, clock)
        for _ in range(3):
            await keys.require_token(KEY.encode())
        clock.ms += KEY_CACHE_MS - 1
        await keys.require_token(KEY.encode())
        assert checks(core) == 1
        clock.ms += 1
        await keys.require_token(KEY.encode())
        assert checks(core) == 2

    uvloop.run(main())


def test_a_revoked_key_ends_with_the_next_check():
    async def main():
        core, clock = FakeCore(), Clock()
        keys = Keys(core, clock)
        await keys.require_token(KEY.encode())
        core.on[CheckKey] = lambda message: check_key(CheckKey(b"unknown"))
        await keys.require_token(KEY.encode())
        clock.ms += KEY_CACHE_MS
        with pytest.raises(CorefastError) as refused:
            await keys.require_token(KEY.encode())
        assert refused.value.code == "token.invalid"

    uvloop.run(main())


def test_a_wrong_key_is_asked_about_each_time():
    async def main():
        core = FakeCore()
        keys = Keys(core, Clock())
        for _ in range(3):
            with pytest.raises(CorefastError):
                await keys.require_token(b"wrong")
        assert checks(core) == 3

    uvloop.run(main())


def test_requests_that_wait_for_the_same_key_share_one_check():
    async def main():
        core, go = FakeCore(), asyncio.Event()

        async def wait(message):
            await go.wait()
            return check_key(message)

        core.on[CheckKey] = wait
        keys = Keys(core, Clock())
        waiting = [asyncio.ensure_future(keys.require_token(KEY.encode())) for _ in range(50)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        go.set()
        views = await asyncio.gather(*waiting[1:])
        assert len({view.id for view in views}) == 1
        assert checks(core) == 1

    uvloop.run(main())


def test_guessing_is_bounded_and_holds_up_no_known_key():
    async def main():
        core, clock, go = FakeCore(), Clock(), asyncio.Event()
        keys = Keys(core, clock)
        await keys.require_token(KEY.encode())
        clock.ms += KEY_CACHE_MS

        async def wait(message):
            if message.digest != hashlib.sha256(KEY.encode()).digest():
                await go.wait()
            return check_key(message)

        core.on[CheckKey] = wait
        guesses = [asyncio.ensure_future(keys.require_token(b"guess %d" % n)) for n in range(MAX_KEY_CHECKS + 5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert checks(core) == 1 + MAX_KEY_CHECKS
        assert (await keys.require_token(KEY.encode())).id == "key_0"
        go.set()
        refused = await asyncio.gather(*guesses, return_exceptions=True)
        assert sum(isinstance(error, Overloaded) for error in refused) == 5
        with pytest.raises(CorefastError, match="no such"):
            await keys.require_token(b"another guess")

    uvloop.run(main())
