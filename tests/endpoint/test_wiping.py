import json
import os
import subprocess
import sys

from corefast.native.secret import wipe


def test_secrets_that_are_used_up_or_let_go_are_nowhere_in_memory():
    """Looks at a process's own memory, in one that is small."""
    done = subprocess.run([sys.executable, "-m", "tests.endpoint.wiping"], capture_output=True, text=True, check=True)
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(looks) == 24
    for what, counts in looks:
        for name, count in counts.items():
            expected = count > 0 if what.endswith(": there") else count == what.endswith(": once")
            assert expected, (what, name, count)


def test_wiped_bytes_are_zeros_and_shared_ones_stay():
    secret = os.urandom(32)
    other = secret
    assert not wipe(secret) and other.strip(b"\0")
    del other
    assert wipe(secret) and secret == bytes(32)
    for text in (b"", b"x"):
        assert not wipe(text) and text in (b"", b"x")
    assert not wipe(json.__name__.encode()[:1])
    held = [os.urandom(32)]
    assert wipe(held.pop())
