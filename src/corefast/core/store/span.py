"""Which rows are whose: an account's messages and events lie together, so that its feed is one range of ids."""

from typing import NamedTuple

_ACCOUNT_BIT, _SHARD_BIT = 53, 48

FIRST_ACCOUNT = 1
EVERY_ACCOUNT = 0
"""In place of an account: who administers all of them."""


class Span(NamedTuple):
    """The ids that *account* gives out in *shard*: those above `floor`, up to `last`."""

    account: int
    shard: int

    @property
    def floor(self) -> int:
        return (self.account - 1) << _ACCOUNT_BIT | self.shard << _SHARD_BIT

    @property
    def last(self) -> int:
        return self.floor | (1 << _SHARD_BIT) - 1


def row_key(account: int, name: bytes) -> bytes:
    """Return what a sealed value of an account is bound to; that of the first one is the bare name."""
    return name if account == FIRST_ACCOUNT else account.to_bytes(4, "big") + name
