"""Keys made ahead, for the moments in which a session needs a new one.

Knows no clock, and not when its owner has time to spare.
"""

from corefast.native.curve import PrivateKey
from corefast.protocol.keys import Random, new_private


class SpareKeys:
    """A source of random bytes (`keys.Random`) that also has private keys in stock.

    A session that is given it takes its base key and its ratchet keys from there, each once; where none is left, one is
    made on the spot. A key that was taken is held by its taker alone, and one that is let go of is wiped.
    """

    __slots__ = ("_keys", "_random", "_size")

    def __init__(self, random: Random, size: int) -> None:
        """Hold at most *size* keys; none yet."""
        self._random = random
        self._size = size
        self._keys: list[PrivateKey] = []

    def __call__(self, size: int) -> bytes:
        return self._random(size)

    @property
    def count(self) -> int:
        return len(self._keys)

    def take(self) -> PrivateKey:
        """Return a key that nobody else has or will have."""
        return self._keys.pop() if self._keys else new_private(self._random)

    def fill(self, count: int) -> None:
        """Make *count* keys, 17 us each, or as many as there is room for."""
        for _ in range(min(count, self._size - len(self._keys))):
            self._keys.append(new_private(self._random))

    def wipe(self) -> None:
        """Let go of all keys."""
        self._keys.clear()


def take_private(random: Random) -> PrivateKey:
    """Return a new key, a spare one of *random* where it has any; raise KeyMalformed for one that is not 32 bytes."""
    return random.take() if isinstance(random, SpareKeys) else new_private(random)
