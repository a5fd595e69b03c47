"""Our first messages, read by a second implementation."""

from pytest import mark

from .party import Party, write
from .reference import open_first


@mark.parametrize("with_one_time", [True, False])
def test_first_messages_are_read_by_the_specifications(with_one_time):
    alice, bob = Party(), Party()
    session = alice.initiate(bob.bundle(with_one_time))
    for number in range(130):
        assert open_first(bob, write(session, b"message %d" % number)) == b"message %d" % number
