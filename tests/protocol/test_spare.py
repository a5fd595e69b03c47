"""Keys made ahead, and sessions that take theirs from there."""

import os

from msgspec.structs import replace
from pytest import raises

from corefast.errors import KeyAgreementFailed, KeyMalformed
from corefast.protocol.spare import SpareKeys, take_private
from corefast.protocol.start import initiate

from .party import RANDOM, Party


class Count:
    """Randomness that counts what is drawn."""

    def __init__(self) -> None:
        self.draws = 0

    def __call__(self, size: int) -> bytes:
        self.draws += 1
        return os.urandom(size)


def test_each_spare_key_is_given_once_and_more_are_made_on_the_spot():
    random = Count()
    spare = SpareKeys(random, 4)
    spare.fill(3)
    assert (spare.count, random.draws) == (3, 3)
    taken = [take_private(spare) for _ in range(3)]
    assert (spare.count, random.draws) == (0, 3)
    taken.append(take_private(spare))
    assert random.draws == 4
    assert len({key.copy() for key in taken}) == 4


def test_no_more_keys_are_made_than_there_is_room_for():
    random = Count()
    spare = SpareKeys(random, 4)
    spare.fill(3)
    spare.fill(3)
    spare.fill(3)
    assert (spare.count, random.draws) == (4, 4)
    spare.wipe()
    assert spare.count == 0


def test_spare_keys_are_randomness_too():
    assert len(SpareKeys(RANDOM, 4)(64)) == 64
    with raises(KeyMalformed):
        take_private(SpareKeys(lambda size: bytes(31), 4))
    with raises(KeyMalformed):
        SpareKeys(lambda size: bytes(31), 4).fill(1)


def test_a_session_takes_its_base_key_and_each_ratchet_key_from_them():
    random = Count()
    spare = SpareKeys(random, 8)
    spare.fill(4)
    points = [key.public() for key in spare._keys]
    alice, bob = Party(), Party()
    ours = initiate(alice.identity, 1, bob.bundle(), spare)
    assert ours.base_key == b"\x05" + points.pop() and spare.count == 3
    message = ours.encrypt(b"first", spare)[1]
    assert points.pop() in message and spare.count == 2
    assert ours.encrypt(b"no turn", spare)[1] and spare.count == 2
    theirs, plaintext = bob.accept(message)
    assert plaintext == b"first"
    answer = theirs.encrypt(b"answer", spare)[1]
    assert points.pop() in answer and spare.count == 1
    assert ours.decrypt(answer, spare) == b"answer" and spare.count == 1
    assert theirs.decrypt(ours.encrypt(b"turn", spare)[1], spare) == b"turn" and spare.count == 0
    assert random.draws == 4
    assert ours.decrypt(theirs.encrypt(b"none left", spare)[1], spare) == b"none left"
    assert random.draws == 5


def test_a_key_that_met_a_low_order_point_is_not_used_again():
    alice, bob = Party(), Party()
    spare = SpareKeys(RANDOM, 2)
    spare.fill(2)
    kept, used = (key.public() for key in spare._keys)
    low = b"\x05" + bytes(32)
    bundle = replace(bob.bundle(), signed_public=low, signed_signature=bob.identity.sign(low, RANDOM))
    with raises(KeyAgreementFailed):
        initiate(alice.identity, 1, bundle, spare)
    assert spare.take().public() == kept
    assert spare.take().public() not in (kept, used)
