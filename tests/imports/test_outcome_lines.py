"""Task logs are import results: each discovered customer has one outcome line, in the task that decided it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from customer_import.vocabulary import ImportType, Outcome
from sandbox.population.models import Access
from tests.imports.scene import on

if TYPE_CHECKING:
    import pytest

    from tests.imports.scene import Scene

LINE = re.compile(
    rf"({'|'.join(Outcome)}) \| ([0-9a-f-]{{36}}) \| [^|]+ \| account (\d+|-) \| contact (\d+|-) \| .+"
)


@on("sqlite")
def test_each_discovered_customer_has_one_outcome_line(
    scene: Scene, caplog: pytest.LogCaptureFixture
):
    left, *_ = scene.sell(ImportType.INDIRECT, 3)
    scene.change(left, access=Access.LEFT)
    scene.sell(ImportType.INDIRECT, 2, peculiarity="no_contact_name")
    scene.sell(ImportType.INDIRECT, 2, peculiarity="two_resellers")
    broken, *_ = scene.sell(ImportType.INDIRECT, 2)
    scene.sandbox.source.put(replace(broken, raw=b'{"id": "'))
    scene.expect([broken], "failed")
    caplog.set_level("INFO")

    report = scene.run(ImportType.INDIRECT)

    lines = [match for record in caplog.records if (match := LINE.fullmatch(record.getMessage()))]
    told = Counter(match[2] for match in lines)
    assert told == dict.fromkeys(report.results, 1)
    assert {match[2]: match[1] for match in lines} == {
        key: row.outcome for key, row in report.results.items()
    }
    assert {row.outcome for row in report.results.values()} >= {
        "created",
        "skipped",
        "rejected",
        "ambiguous",
        "failed",
    }
