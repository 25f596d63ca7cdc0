"""Tells a service's trouble from one request's, and bounds how long each is waited for.

What goes wrong on one endpoint is looked at together, over all requests of a session. While the endpoint answers
others, a failure is the request's own and uses up its tries. While it answers nobody, it is the service's: nothing is
sent but one request at a time, with growing pauses, and no request loses a try by it. That one is a request which was
answered before, where there is one: what is broken for good cannot look like an outage.

Why: docs/decisions/0011-outages.md.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from customer_import.errors import ApiError, OutageError, RetriableError, ThrottledError
from customer_import.telemetry import Metric, count, record_seconds

log = logging.getLogger(__name__)

OPENS_AFTER = 3
"""Failures in a row, or requests in trouble at once, that speak of the service rather than of a request."""


@dataclass(frozen=True)
class RetrySettings:
    """How long a request is tried.

    Attributes:
        max_attempts: Tries in all; one that was refused for its rate only, or that failed while the service answered
            nobody, is none.
        budget_s: Nothing is waited for longer than this, neither a service nor a request.
        base_s: First wait; doubled each time, with jitter.
        max_wait_s: Longest wait that we choose ourselves; a Retry-After may be longer.
    """

    max_attempts: int = 6
    budget_s: float = 600.0
    base_s: float = 0.5
    max_wait_s: float = 5.0


class Breaker:
    """The circuits of one session, one for each endpoint.

    Args:
        service: Name for messages.
        settings: How long a request is tried.
        is_up: Asks the service for something that concerns no customer; asked only when no other request can tell.
        concurrency: Most requests under way at once; with fewer that want an endpoint, none waits for its turn.
        clock: Monotonic seconds.
        sleep: Waits that many seconds.
        jitter: Number between 0 and 1.
    """

    def __init__(
        self,
        service: str,
        settings: RetrySettings,
        is_up: Callable[[], Awaitable[bool]],
        concurrency: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.service = service
        self.settings = settings
        self.concurrency = concurrency
        self.clock = clock
        self.sleep = sleep
        self._jitter = jitter
        self._is_up = is_up
        self._asking = asyncio.Lock()
        self._circuits: dict[str, _Circuit] = {}

    def trial(self, endpoint: str) -> Trial:
        """Return the tries of one request, as a context manager.

        Args:
            endpoint: Method and path template.
        """
        return Trial(self, self._circuits.setdefault(endpoint, _Circuit(self, endpoint)))

    async def is_up(self) -> bool:
        """Whether the service answers anything at all."""
        async with self._asking:
            return await self._is_up()

    def pause_s(self, number: int, asked: float | None) -> float:
        """Return how long to wait after the failure of that number, and after what the server asked for."""
        settings = self.settings
        longest = min(settings.base_s * 2.0 ** min(number - 1, 30), settings.max_wait_s)
        pause = longest * (0.5 + self._jitter() / 2)
        return pause if asked is None else asked + pause / 4


Again = Callable[[], Awaitable[object]]
"""Sends a request that was answered once more; raises what it raises."""


class _Circuit:
    """What is known of one endpoint: whether it answers, and who tries it while it does not."""

    def __init__(self, breaker: Breaker, endpoint: str) -> None:
        self.endpoint = endpoint
        self.answers = 0
        self.trials = 0
        self.answered_before: Again | None = None
        self.failing_since: float | None = None
        self.troubled: set[Trial] = set()
        self.pause_s = 0.0
        self.not_before = -math.inf
        self._breaker = breaker
        self._failures = 0
        self._probes = 0
        self._gate = asyncio.Lock()  # first come, first served
        self._prober: Trial | None = None
        self._is_told = False

    @property
    def is_open(self) -> bool:
        """Whether only one request at a time may leave."""
        return self._failures >= OPENS_AFTER

    async def turn(self, trial: Trial) -> bool:
        """Wait for the only place while the circuit is open; return whether the trial holds it."""
        if self.is_open:
            await self._gate.acquire()
            self._prober = trial
            if self.is_open:
                return True
            self.release(trial)
        return False

    def failed(self, trial: Trial, error: RetriableError) -> None:
        if self.failing_since is None:
            self.failing_since = self._breaker.clock()
        self.troubled.add(trial)
        self._failures += 1
        if self._failures == OPENS_AFTER:
            service = self._breaker.service
            count(Metric.BREAKER_OPENINGS, service=service, endpoint=self.endpoint)
        if self._prober is trial:
            self._probes += 1
            if not self._is_told:
                self._tell(error)
        if error.retry_after is not None:
            self.not_before = max(self.not_before, self._breaker.clock() + error.retry_after)
        if self.is_open:
            chosen = self._breaker.pause_s(self._probes + 1, error.retry_after)
            self.pause_s = max(chosen, self.not_before - self._breaker.clock())
        self.release(trial)

    async def ask_again(self, trial: Trial) -> bool:
        """Send the request that was answered before; return whether the endpoint answers others than the trial."""
        if self.answered_before is None:
            return True  # the trial has to find out itself
        try:
            await self.answered_before()
        except ThrottledError:
            pass
        except RetriableError as error:
            self.failed(trial, error)
            return False
        except ApiError:
            pass
        self.answers += 1
        self._failures = self._probes = 0
        self.release(trial)
        return True

    def _tell(self, error: RetriableError) -> None:
        self._is_told = True
        log.warning(
            "%s %s failed %s times in a row (%s); single requests are tried until it answers again, for up to %.0f s",
            self._breaker.service,
            self.endpoint,
            self._failures,
            error.reason,
            self._breaker.settings.budget_s,
        )

    def answered(self, trial: Trial, again: Again | None) -> None:
        self.answered_before = again or self.answered_before
        if self._is_told and self.failing_since is not None:
            seconds = self._breaker.clock() - self.failing_since
            log.info(
                "%s %s answers again after %.0f s", self._breaker.service, self.endpoint, seconds
            )
        self.answers += 1
        self._failures = 0
        self._probes = 0
        self._is_told = False
        self.failing_since = None
        self.troubled.discard(trial)
        self.release(trial)

    def release(self, trial: Trial) -> None:
        if self._prober is trial:
            self._prober = None
            self._gate.release()


class Trial:
    """The tries of one request."""

    def __init__(self, breaker: Breaker, circuit: _Circuit) -> None:
        self._breaker = breaker
        self._circuit = circuit
        self._answers = circuit.answers
        self._failures = 0
        self._own_failures = 0
        self._is_own = True
        self._error: RetriableError | None = None
        self._failing_since: float | None = None
        self._waited_s = 0.0
        self._told = (0.0, 0.0, 0.0)

    def __enter__(self) -> Self:
        """Begin."""
        self._circuit.trials += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Let others try, whatever became of this request."""
        self._circuit.trials -= 1
        self._circuit.troubled.discard(self)
        self._circuit.release(self)

    async def turn(self) -> None:
        """Wait until this request may leave: at once, unless the endpoint answers nobody or asked it to wait.

        Raises:
            OutageError: As ``pause``.
        """
        while await self._circuit.turn(self):
            await self._wait(self._circuit.pause_s)
            if await self._circuit.ask_again(self):
                break
            if self._is_late:
                raise self._outage() from self._error
        if self._left_s > 0:
            await self._wait(self._left_s)

    def answered(self, again: Again | None = None) -> None:
        """Note an answer, be it a refusal: the service is there.

        Args:
            again: Sends the same request once more, when that does no harm.
        """
        self._circuit.answered(self, again)

    async def failed(self, error: RetriableError) -> None:
        """Note a failure, and find out whose it is."""
        circuit = self._circuit
        is_throttled = isinstance(error, ThrottledError)
        self._error = error
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = self._breaker.clock()
        self._told = (error.retry_after or 0.0, self._breaker.clock(), self._waited_s)
        if is_throttled:
            circuit.release(self)
        else:
            circuit.failed(self, error)
        self._is_own = circuit.answers != self._answers or (
            not is_throttled  # a limit that was hit is nobody's own
            and self._may_be_alone
            and await self._breaker.is_up()
        )
        self._answers = circuit.answers
        self._own_failures += self._is_own and not is_throttled

    @property
    def _may_be_alone(self) -> bool:
        """Whether so few are in trouble that it may be theirs: from the start, or after the whole budget."""
        circuit = self._circuit
        is_last = circuit.trials < self._breaker.concurrency and self._is_late
        return len(circuit.troubled) < OPENS_AFTER or is_last

    @property
    def _is_late(self) -> bool:
        return self._spent_s + self._pause_s > self._breaker.settings.budget_s

    @property
    def is_over(self) -> bool:
        """Whether the request failed for good, while the service answers others."""
        is_spent = self._own_failures >= self._breaker.settings.max_attempts
        return is_spent or (self._is_own and self._is_late)

    async def pause(self) -> None:
        """Wait until the next try may begin.

        Raises:
            OutageError: The service has answered nobody for the whole budget.
        """
        if not self._is_own and self._is_late:
            raise self._outage() from self._error
        if self._is_own or not self._circuit.is_open:  # else its turn is waited for
            await self._wait(self._pause_s)

    @property
    def _pause_s(self) -> float:
        asked = self._error.retry_after if self._error else None
        if self._circuit.is_open and not self._is_own:
            return self._circuit.pause_s
        return self._breaker.pause_s(self._failures, asked)

    @property
    def _left_s(self) -> float:
        """What is left of the wait that the last answer asked for."""
        told_s, at, waited_s = self._told
        return told_s - max(self._breaker.clock() - at, self._waited_s - waited_s)

    @property
    def _spent_s(self) -> float:
        now = self._breaker.clock()
        since = self._failing_since if self._failing_since is not None else now
        if not self._is_own and self._circuit.failing_since is not None:
            since = min(since, self._circuit.failing_since)
        return max(now - since, self._waited_s)

    def _outage(self) -> OutageError:
        since = datetime.now(UTC) - timedelta(seconds=self._spent_s)
        reason = self._error.reason if self._error else "no answer"
        return OutageError(
            self._breaker.service, endpoint=self._circuit.endpoint, since=since, reason=reason
        )

    async def _wait(self, seconds: float) -> None:
        await self._breaker.sleep(seconds)
        record_seconds(Metric.RETRY_WAIT, seconds, service=self._breaker.service)
        self._waited_s += seconds
