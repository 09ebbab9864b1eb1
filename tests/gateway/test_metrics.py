"""The text format, read by Prometheus' own parser."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Family, exposition, process_families, single


def test_prometheus_reads_it() -> None:
    text = exposition(
        [
            Family(name="alarm", kind="gauge", text='Odd \\ "text"\nhere.', samples=[({"name": 'a"b\\c\nd'}, 1.0)]),
            single("pages_total", "counter", "Pages.", 12345678901.0),
            *process_families(),
        ]
    )
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert found["pushlab_gateway_alarm"].samples[0].labels == {"name": 'a"b\\c\nd'}
    assert found["pushlab_gateway_pages"].samples[0].value == 12345678901.0
    assert found["process_open_fds"].samples[0].value > 3
    assert found["process_cpu_seconds"].type == "counter"
