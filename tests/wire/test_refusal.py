import pytest
from hypothesis import given
from hypothesis import strategies as st

from corefast.errors import FrameMalformed, NumberUnknown, Overloaded
from corefast.wire.refusal import decode_refusal, encode_refusal


def test_error_keeps_code_text_and_delay():
    refused = decode_refusal(encode_refusal(Overloaded("later", retry_after_ms=70)))
    assert (refused.code, str(refused), refused.retry_after_ms) == ("overloaded", "later", 70)


def test_error_without_delay_has_none():
    refused = decode_refusal(encode_refusal(NumberUnknown("nobody")))
    assert (refused.code, refused.retry_after_ms) == ("number.unknown", 0)


def test_bug_tells_only_that_it_is_one():
    refused = decode_refusal(encode_refusal(KeyError("secret")))
    assert (refused.code, str(refused)) == ("internal", "internal")


def test_no_error_is_none():
    assert decode_refusal(encode_refusal(None)) is None


def test_long_text_is_cut():
    assert len(str(decode_refusal(encode_refusal(NumberUnknown("x" * 5_000))))) == 500


@pytest.mark.parametrize("data", [b"", b"\x91\xa1\xff", b"\x93\xa1x\xa1y\xff", b"\x91" * 10_000, b"\xc1"])
def test_garbage_is_malformed(data):
    with pytest.raises(FrameMalformed):
        decode_refusal(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_refusal_or_a_typed_error(data):
    try:
        decode_refusal(data)
    except FrameMalformed:
        pass
