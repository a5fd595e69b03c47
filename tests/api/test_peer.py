"""`corefast peer` against a core that answers by hand."""

import json

import pytest
import uvloop

from api.config import PeerConfig
from api.peer import act
from corefast.config import load
from corefast.errors import IdentityMismatch, NumberInvalid, SetupError
from corefast.wire.peer import AcceptIdentity, GetPeer, ListPeers, PeerPin, Peers, PeerView, PinPeer
from tests.api.test_key import up_folder
from tests.support.fake_core import FakeCore

SAFETY = " ".join(f"{number:05}" for number in range(12))
MET = PeerView("49123123456", "h4sh", 1_900_000_000_000, True, False, PeerPin.NONE, False, 2, SAFETY)
CHANGED = PeerView("491713920001", "n3w", 1_900_000_000_000, False, True, PeerPin.NONE, False, 0)
PINNED = PeerView("491713920002", "", 0, True, False, PeerPin.X3DH, False, 0)


def peer_core():
    core = FakeCore()
    core.on[GetPeer] = lambda message: MET
    core.on[PinPeer] = lambda message: PINNED
    core.on[AcceptIdentity] = lambda message: MET
    core.on[ListPeers] = lambda message: Peers([PINNED], 0) if message.after else Peers([CHANGED], 7)
    return core


def run(*words):
    return load(PeerConfig, "peer", words, {})


def test_customer_is_shown_pinned_unpinned_accepted_and_listed(tmp_path, capsys):
    async def main():
        core = peer_core()
        data = ("--data", up_folder(tmp_path, await core.start()))

        async def told(*words):
            await act(run(*words, *data))
            return capsys.readouterr().out

        shown = await told("show", "+49 123 123456")
        assert core.calls[-1] == GetPeer("+49 123 123456")
        assert "h4sh since 2030-03-17T17:46:40+00:00" in shown and "2 devices with a session" in shown
        assert "    00000 00001 00002 00003\n    00004 00005 00006 00007\n" in shown
        assert json.loads(await told("show", "49123123456", "--json"))["safety_number"] == SAFETY

        assert "pinned to x3dh" in await told("pin", "491713920002")
        assert core.calls[-1] == PinPeer("491713920002", PeerPin.X3DH)
        await told("pin", "491713920002", "--protocol", "without_spqr")
        assert core.calls[-1].pin is PeerPin.WITHOUT_SPQR
        await told("unpin", "491713920002")
        assert core.calls[-1].pin is PeerPin.NONE
        await told("accept", "49123123456", "h4sh")
        assert core.calls[-1] == AcceptIdentity("49123123456", "h4sh")

        lines = (await told("list")).splitlines()
        assert "not accepted: nothing is sent there" in lines[0] and "pinned to x3dh" in lines[1]
        listed = json.loads(await told("list", "--json"))["peers"]
        assert [peer["number"] for peer in listed] == [CHANGED.number, PINNED.number]
        assert "safety_number" not in listed[0] and listed[1]["pin"] == "x3dh"
        await core.stop()

    uvloop.run(main())


def test_mistake_is_told_in_one_sentence_with_its_remedy(tmp_path):
    def refuse(message):
        raise IdentityMismatch("the peer has another identity key")

    def unreadable(message):
        raise NumberInvalid("no number")

    async def main():
        core = peer_core()
        core.on[AcceptIdentity], core.on[GetPeer] = refuse, unreadable
        data = ("--data", up_folder(tmp_path, await core.start()))
        mistakes = {
            ("forget", "49123123456"): "show, pin, unpin, accept and list",
            ("show",): "peer show NUMBER",
            ("show", "five"): "international form",
            ("accept", "49123123456"): "HASH.*corefast peer show 49123123456",
            ("accept", "49123123456", "old"): "another identity key.*corefast peer show 49123123456",
        }
        for words, sentence in mistakes.items():
            with pytest.raises(SetupError, match=sentence):
                await act(run(*words, *data))
        await core.stop()

    uvloop.run(main())
