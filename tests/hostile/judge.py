"""Runs one case and says whether its outcome is right, and what it cost."""

from __future__ import annotations

import asyncio
import logging
import re
import resource
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from customer_import.errors import CustomerImportError
from tests.hostile.calls import CALLS
from tests.hostile.script import PERSON, SECRETS, Gives
from tests.stalls import StallWatch

if TYPE_CHECKING:
    from tests.hostile.script import Case
    from tests.hostile.server import Arrivals, RunningServer

MOST_STALL_MS = 50.0
MOST_MEMORY_MB = 300.0
_LONGEST_TEXT = 700
_PROC = Path("/proc/self")
_MEASURED_AGAIN = 2
"""A machine with other work on it stretches a stall; what stands still by itself does so each time."""
_PATHS = re.compile(
    r"(?:GET|POST|PATCH) /(?:v1/|api/|oauth/token |contoso/(?:v2\.0/\.well-known|oauth2)/)"
)


@dataclass
class Verdict:
    """What a case came to; ``faults`` is empty when all was right."""

    case: Case
    time_s: float = 0.0
    stall_ms: float = 0.0
    memory_mb: float = 0.0
    told: str = ""
    faults: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        state = f"FAILED ({'; '.join(self.faults)})" if self.faults else "ok"
        costs = f"{self.time_s:6.2f} s {self.stall_ms:6.1f} ms {self.memory_mb:6.1f} MB"
        return f"{costs}  {self.case.name}: {state}"


class Memory:
    """The most memory that this process had since ``forget``, over what it had at first."""

    def __init__(self) -> None:
        self._start = self._read("VmRSS")

    def forget(self) -> None:
        """Begin again; only Linux can, elsewhere the peak is that of the whole process."""
        if _PROC.exists():
            (_PROC / "clear_refs").write_text("5", encoding="ascii")

    @property
    def peak_mb(self) -> float:
        return max(self._read("VmHWM") - self._start, 0.0)

    def _read(self, name: str) -> float:
        if not _PROC.exists():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        status = (_PROC / "status").read_text(encoding="ascii")
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


class Lines(logging.Handler):
    """What was logged, in full."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


async def judge(
    case: Case, server: RunningServer, memory: Memory, most_stall_ms: float = MOST_STALL_MS
) -> Verdict:
    """Run a case; again, when the loop seemed to stand still."""
    verdict = await _once(case, server, memory)
    for _ in range(_MEASURED_AGAIN):
        if verdict.faults or verdict.stall_ms <= most_stall_ms:
            break
        again = await _once(case, server, memory)
        verdict = again if again.faults or again.stall_ms < verdict.stall_ms else verdict
    if verdict.stall_ms > most_stall_ms:
        verdict.faults.append(f"the loop stood still for {verdict.stall_ms:.0f} ms")
    return verdict


async def _once(case: Case, server: RunningServer, memory: Memory) -> Verdict:
    server.begin(case.name)
    memory.forget()
    verdict, lines = Verdict(case), Lines()
    found: Gives | Exception
    logging.getLogger().addHandler(lines)
    started = time.perf_counter()
    try:
        async with StallWatch() as watch, asyncio.timeout(case.most_s):
            found = Gives(await CALLS[case.call](server, case))
    except Exception as error:  # noqa: BLE001 - whatever comes is judged
        found = error
    finally:
        logging.getLogger().removeHandler(lines)
    verdict.time_s = time.perf_counter() - started
    verdict.stall_ms = watch.longest_s * 1_000
    verdict.memory_mb = memory.peak_mb
    verdict.told = str(found)
    verdict.faults += _wrong_outcome(case, found)
    verdict.faults += _wrong_words(found, lines.texts)
    verdict.faults += _wrong_requests(case, server.begin(""))
    if verdict.memory_mb > MOST_MEMORY_MB:
        verdict.faults.append(f"it took {verdict.memory_mb:.0f} MB")
    return verdict


def _wrong_outcome(case: Case, found: Gives | Exception) -> list[str]:
    due = case.outcome
    if isinstance(due, Gives):
        return [] if found == due else [f"{due} was due, not {_short(found)}"]
    if type(found) is not due.error:
        return [f"{due.error.__name__} was due, not {_short(found)}"]
    told = [] if due.words in str(found) else [f"{due.words!r} is missing in {_short(found)}"]
    fields = {name: getattr(found, name) for name in due.fields}
    return told if fields == due.fields else [*told, f"{due.fields} was due, not {fields}"]


def _wrong_words(found: Gives | Exception, logged: list[str]) -> list[str]:
    if isinstance(found, Gives):
        return _told("a log", "\n".join(logged))
    text = str(found)
    faults = [] if isinstance(found, CustomerImportError) else ["not an error of the import"]
    if len(text) > _LONGEST_TEXT:
        faults.append(f"a text of {len(text)} characters")
    if not text.isprintable():
        faults.append("a text that cannot be printed")
    trace = "".join(traceback.format_exception(found))
    return [
        *faults,
        *_told("the text", text + str(vars(found))),
        *_told("the trace", trace),
        *_told("a log", "\n".join(logged)),
    ]


def _told(where: str, text: str) -> list[str]:
    folded = text.casefold()
    return [
        f"{where} tells {name}"
        for holder in (SECRETS, PERSON)
        for name, value in {**vars(holder), "basic": SECRETS.basic}.items()
        if value.casefold() in folded
    ]


def _wrong_requests(case: Case, arrivals: Arrivals) -> list[str]:
    faults = []
    if arrivals.elsewhere:
        faults.append(f"{len(arrivals.elsewhere)} requests went to another host")
    if len(arrivals.here) > case.most_requests:
        faults.append(f"{len(arrivals.here)} requests were sent")
    if odd := [one for one in arrivals.here if not _PATHS.match(one)]:
        faults.append(f"asked for {odd[0].partition(' HTTP')[0][:80]}")
    if [one for one in arrivals.here if "x-evil" in one.lower()]:
        faults.append("a header came along that the server had told")
    return faults


def _short(value: object) -> str:
    text = f"{type(value).__name__}: {value}"
    return text if len(text) < 200 else f"{text[:200]}..."
