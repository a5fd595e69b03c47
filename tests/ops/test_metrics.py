import re

from prometheus_client import REGISTRY

from corefast import metrics


def test_each_name_says_its_unit_and_only_the_parts_asked_for_are_shown():
    before = REGISTRY.get_sample_value("corefast_core_accepted_total") or 0
    metrics.core_accepted.inc()
    text = metrics.render("core")
    assert f"corefast_core_accepted_total {before + 1}" in text
    assert "process_resident_memory_bytes" in text
    assert "corefast_relay_" not in text
    counters = re.findall(r"# TYPE (corefast_\S+) counter", metrics.render())
    assert counters and all(name.endswith("_total") for name in counters)
