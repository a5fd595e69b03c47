"""What has to hold of a system in containers, whichever profile it is."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.containers.stack import Stack
from tests.support.business import soon
from tests.support.programs import Phone, Program

ALICE = "491713920001"
BOB = "491713920002"

Fault = Callable[[], Awaitable[object]]


async def nobody_registers_without_a_code(stack: Stack) -> None:
    home, relay = str(stack.folder / "without-code"), stack.facts["relay"]
    command = ("corefast.device", "--json", "--number", BOB, "--home", home, "--relay", relay)
    phone = await Program.start(*command)
    assert await asyncio.wait_for(phone.process.wait(), 20) != 0
    await phone.kill()  # reads what is left of its output
    assert "asks for a code" in "".join(phone.lines + phone.errors), (phone.lines, phone.errors)


async def hello_goes_both_ways(stack: Stack, phone: Phone) -> None:
    began = time.monotonic()
    status, answer = await stack.request("POST", "/api/v7/chat", json={"id": phone.number, "message": "Hello world!"})
    assert (status, answer["status"]) == (201, "accepted")
    assert (await phone.until_texts(1))[-1] == "Hello world!"
    assert phone.program is not None
    phone.program.say(read=[message["id"] for message in phone.messages])
    phone.program.say(to=stack.facts["number"], text="Hello business!")
    receiver = stack.receiver
    await soon(lambda: "Hello business!" in receiver.texts, what=lambda: (vars(receiver), phone.program.lines))
    complete = ["sent", "delivered", "read"]
    await soon(lambda: receiver.statuses.get(answer["id"]) == complete, what=lambda: receiver.statuses)
    assert receiver.unverified == []
    status, page = await stack.request("GET", "/v1/events?after=&limit=1000")
    assert status == 200 and any("Hello business!" in str(event["body"]) for event in page["events"])
    print(f"{stack.profile}: hello both ways, with webhooks, in {time.monotonic() - began:.2f} s")


async def each_once_while(stack: Stack, phone: Phone, name: str, fault: Fault) -> None:
    """Send before, while and after *fault*; what is accepted is shown once and in order, and each status comes."""
    before, began = len(phone.texts), time.monotonic()
    sent: dict[str, str] = {}

    async def send(count: int) -> None:
        for _ in range(count):
            text = f"{name} {len(sent)}"
            sent[text] = await stack.insist(phone.number, text, text.replace(" ", "-"), 60)

    await send(10)
    happening = asyncio.ensure_future(fault())
    while not happening.done():
        await send(1)
        await asyncio.sleep(0.01)  # a fault of some seconds is to meet hundreds of messages, not thousands
    await happening
    await send(30)
    await stack.until_ready()
    assert (await phone.until_texts(before + len(sent), 60))[before:] == list(sent)
    statuses = stack.receiver.statuses
    await soon(lambda: all(statuses.get(one) == ["sent", "delivered"] for one in sent.values()), 60, lambda: statuses)
    print(f"{stack.profile}: {name}, {len(sent)} messages each once, in {time.monotonic() - began:.2f} s")


async def programs_have_no_powers(stack: Stack, *services: str) -> None:
    for service in services:
        status = await stack.run_in(service, "cat", "/proc/1/status")
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert facts["Uid"].split() == ["10001"] * 4, service
        assert {int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {0}, service
        assert facts["NoNewPrivs"] == "1", service
        assert await stack.inspect(service, "{{.HostConfig.ReadonlyRootfs}}") == "true", service
        await stack.until_healthy(service)


async def no_log_holds_a_secret(stack: Stack) -> None:
    log = await stack.compose("logs", "--no-color")
    for secret in (stack.facts["api_key"], stack.receiver.secret, "Hello business!", "killed 7"):
        assert secret not in log, log
