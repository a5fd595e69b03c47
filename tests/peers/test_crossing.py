"""Sessions that both sides start at once, with a real libsignal."""

import os
from random import Random

from pytest import mark

from corefast.endpoint.fanout import bundle_of
from tests.endpoint.pair import End


@mark.parametrize("seed", range(8))
def test_both_read_everything_whoever_writes_and_reads_when(peer, seed):
    dice, ours = Random(seed), End()
    bundle = ours.bundle()
    ours.them.start(ours.own, peer.bundle(), os.urandom)
    peer.start(bundle_of(bundle, bundle.devices[0]))
    ways = [(ours.encrypt, lambda kind, body: peer.decrypt(kind, body), [])]
    ways += [(peer.encrypt, lambda kind, body: ours.decrypt((kind, body)), [])]
    read = 0
    for step in range(60):
        write, read_message, under_way = dice.choice(ways)
        if dice.random() < 0.4:
            under_way.append((b"%d" % step, write(b"%d" % step)))
        elif under_way:
            text, message = under_way.pop(0)
            assert read_message(*message) == text
            read += 1
        if not step % 10:
            ours.restart()
    assert read > 10
