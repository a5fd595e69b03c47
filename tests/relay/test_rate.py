"""Token buckets."""

from corefast.relay.rate import Buckets


def test_burst_then_refill():
    buckets = Buckets(2, 0.5)
    assert [buckets.take("a", 0) for _ in range(2)] == [0, 0]
    wait_ms = buckets.take("a", 0)
    assert 2_000 <= wait_ms <= 2_001
    assert buckets.take("a", wait_ms - 2) > 0
    assert buckets.take("a", wait_ms) == 0


def test_keys_do_not_share_and_a_clock_that_goes_back_gives_nothing():
    buckets = Buckets(1, 1.0)
    assert buckets.take("a", 10_000) == 0 and buckets.take("b", 10_000) == 0
    assert buckets.take("a", 0) > 0


def test_number_of_buckets_is_bounded():
    buckets = Buckets(1, 0.001, max_buckets=10)
    for key in range(1_000):
        buckets.take(key, 0)
    assert len(buckets._buckets) == 10
