"""Many requests: after the schema, against it, and thousands in a row."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from site_of import Site


def test_the_interface_keeps_its_schema(site: Site) -> None:
    """Whatever is sent after the schema, or against it: an answer that the schema names, and never a failure of the server."""
    site.post("neighbours", {"z": [0.0] * 6})  # so that the first request does not load PyTorch
    schema = schemathesis.openapi.from_dict(site.app.openapi())
    checks = [schemathesis.checks.not_a_server_error, schemathesis.checks.response_schema_conformance]
    count = 0
    for result in schema.exclude(path_regex="instrument/.number.(/generate)?$").get_all_operations():
        operation = result.ok()

        @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
        def one(case: Any) -> None:
            nonlocal count
            count += 1
            if case.body and isinstance(case.body, dict) and isinstance(case.body.get("count"), int):
                case.body["count"] = min(case.body["count"], 2)
            case.call_and_validate(base_url=site.home, checks=checks)

        given(case=operation.as_strategy())(one)()
    assert count > 40


def flood(site: Site, count: int) -> int:
    """Sends requests of all kinds, and returns the growth of memory over the second half in KB."""
    z = [0.1] * 6
    kinds = [
        lambda: site.client.get("/api/jobs/x"),
        lambda: site.post("neighbours", {"z": z, "count": 3}),
        lambda: site.post("neighbours", {"z": [0.0]}),
        lambda: site.client.get("/", headers={"If-None-Match": tag}),
        lambda: site.client.get("/", headers={"Host": "evil.example"}),
        lambda: site.post("encode", b"no sound"),
        lambda: site.post("generate", {"id": "no"}),
        lambda: site.client.get("/nothing"),
    ]
    tag = site.client.get("/").headers["etag"]
    half = 0
    for number in range(count):
        kinds[number % len(kinds)]()
        if number == count // 2:
            half = resident()
    return resident() - half


def resident() -> int:
    """Memory of this process in KB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_stays_flat(site: Site, count: int) -> None:
    flood(site, 200)
    assert flood(site, count) < 12_000
    assert len(site.office.jobs._jobs) <= 220


def test_compressed_pages_are_the_page(site: Site) -> None:
    page = site.office.served[0].page(site.office.facts(0))
    assert gzip.decompress(page.packed) == page.plain
