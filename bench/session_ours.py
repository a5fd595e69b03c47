"""`python -m bench.session_ours SECONDS [spare]`: our sessions, measured exactly as `session_foreign` does the others'.

With `spare`, the keys of starts and turns are made ahead, between what is timed. Prints one JSON object, as it does.
"""

import gc
import json
import os
import sys
from collections.abc import Callable
from functools import partial

from bench.bench_protocol import ALICE, BOB
from bench.session_foreign import TEXT, TURNS, Pair, measure
from corefast.protocol.keys import Random
from corefast.protocol.spare import SpareKeys
from corefast.protocol.start import initiate


def starts(random: Random) -> Callable[[], Pair]:
    def start() -> Pair:
        ours = initiate(ALICE.identity, 1, BOB.bundle, random)
        theirs = BOB.accept(ours.encrypt(TEXT, random)[1])
        return Pair(
            (lambda: ours.encrypt(TEXT, random)[1], lambda message: ours.decrypt(message, random)),
            (lambda: theirs.encrypt(TEXT, random)[1], lambda message: theirs.decrypt(message, random)),
        )

    return start


if __name__ == "__main__":
    spare = SpareKeys(os.urandom, 2 * TURNS)
    gc.disable()  # as in a core, where a search for cycles is rare
    if sys.argv[2:] == ["spare"]:
        print(json.dumps(measure(starts(spare), float(sys.argv[1]), before=partial(spare.fill, 2 * TURNS))))
    else:
        print(json.dumps(measure(starts(os.urandom), float(sys.argv[1]))))
