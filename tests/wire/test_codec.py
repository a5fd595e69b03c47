import pytest
from hypothesis import given
from hypothesis import strategies as st

from corefast.errors import MessageUndecodable
from corefast.wire import gateway, messages
from corefast.wire.codec import gateway_codec, relay_codec


def test_message_is_read_back_from_bytes_and_views():
    message = messages.Ack([1, 2, 3])
    data = relay_codec.encode(message)
    assert relay_codec.decode(data) == message
    assert relay_codec.decode(memoryview(data)) == message


def test_a_message_of_the_other_protocol_is_none_of_ours():
    with pytest.raises(MessageUndecodable):
        relay_codec.decode(gateway_codec.encode(gateway.Metrics("text")))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x91" * 100_000,
        b"\x92\x07\xa1\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\x92\x0e\xdd\xff\xff\xff\xff",
        b"\xd6\xff\xff\xff\xff\xff",
    ],
)
def test_garbage_is_undecodable(data):
    with pytest.raises(MessageUndecodable):
        relay_codec.decode(data)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_undecodable(data):
    for codec in (relay_codec, gateway_codec):
        try:
            codec.decode(data)
        except MessageUndecodable:
            pass
