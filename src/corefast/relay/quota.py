"""What one client may ask of the relay, and who is exempt: the cores of businesses, which are trusted bulk senders."""

from typing import NamedTuple, Self

from corefast.errors import SetupError
from corefast.relay.client import Client
from corefast.relay.config import RelayConfig
from corefast.relay.rate import Buckets


class Rates(NamedTuple):
    """The operator's limits; *bulk* are the numbers whose cores are exempt, None for every core."""

    bundle: Buckets
    post: Buckets
    lookup: Buckets
    bulk: frozenset[str] | None

    @classmethod
    def of(cls, config: RelayConfig) -> Self:
        """Return the limits of *config*; raise `SetupError` for a number that is none."""
        numbers = frozenset(number.strip().lstrip("+") for number in config.bulk.split(",") if number.strip())
        if not all(number.isdecimal() and number.isascii() for number in numbers):
            raise SetupError(f"--bulk {config.bulk!r} is no list of numbers; write them with digits alone, and commas")
        return cls(
            Buckets(config.bundle_burst, config.bundle_refill),
            Buckets(config.post_burst, config.post_refill),
            Buckets(config.lookup_burst, config.lookup_refill),
            numbers or None,
        )

    def is_exempt(self, client: Client) -> bool:
        """Whether *client* is attached as a core, of a number that may be one."""
        if not client.is_core or client.device is None:
            return False
        return self.bulk is None or client.device.account.number in self.bulk
