"""One canonical form for a number, however people write it."""

import pytest

from corefast.address import Address, canonical_number, display_number, shard_of
from corefast.errors import NumberInvalid

SPELLINGS = [
    "49123123456",
    "+49 123 123456",
    "0049123123456",
    "+49-123-123456",
    "+49 (123) 123/456",
    "\uff0b49123123456",
    "+\u0664\u0669\u0661\u0662\u0663\u0661\u0662\u0663\u0664\u0665\u0666",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_is_one_number(text: str) -> None:
    assert canonical_number(text) == "49123123456"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "abc",
        "+49 171 39TWO",
        "12",
        "+49 30 23125000 ext. 7",
        "+49 30 23125000;ext=7",
        "9" * 65,
        "+1\0",
        "🙂",
    ],
)
def test_what_is_no_number_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(NumberInvalid) as refused:
        canonical_number(text)
    assert len(text) < 3 or text not in str(refused.value)


def test_numbers_for_tests_pass_only_where_they_are_meant_to() -> None:
    assert canonical_number("+999 12345678") == "99912345678"
    with pytest.raises(NumberInvalid):
        canonical_number("+999 12345678", development=False)


def test_a_number_for_fiction_is_possible_and_readable() -> None:
    assert display_number(canonical_number("+49 30 23125000")) == "+49 30 23125000"


def fnv_1a(data: bytes) -> int:
    value = 14_695_981_039_346_656_037
    for byte in data:
        value = (value ^ byte) * 1_099_511_628_211 % 2**64
    return value


def test_the_shard_of_a_number_is_its_fnv_1a_hash() -> None:
    assert fnv_1a(b"foobar") == 0x85944171F73967E8  # the test suite of draft-eastlake-fnv
    value = fnv_1a(b"signal\x0049123123456")
    for shards in (1, 2, 4, 8, 16, 32):
        assert shard_of("49123123456", shards) == value % shards


def test_address_that_may_be_stored_is_of_digits_and_of_a_device_that_can_be() -> None:
    assert all(each.is_sound for each in (Address("49123123456"), Address("9991", 127)))
    wrong = [Address(""), Address("+49"), Address("4" * 33), Address("\u0664"), Address("49", 0), Address("49", 128)]
    assert not any(each.is_sound for each in [*wrong, Address("49", -1), Address("49", 1, "other")])
