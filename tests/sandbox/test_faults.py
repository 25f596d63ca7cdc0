from __future__ import annotations

import time

import pytest
import requests

from sandbox import FaultKind, FaultRule
from sandbox.faults import FaultPlan, RetryAfterForm

CREATE = "bss.accounts.create"


def struck(plan, endpoint, count):
    return [n for n in range(1, count + 1) if plan.pick(endpoint) is not None]


def test_positions_count_matching_requests_only():
    rule = FaultRule(endpoint="bss.accounts.*", kind=FaultKind.STATUS, calls=(2, 4))
    plan = FaultPlan(1, [rule])
    assert plan.pick("bss.contacts.create") is None
    assert struck(plan, CREATE, 5) == [2, 4]
    assert plan.counts == {f"{CREATE} status": 2}


def test_probability_repeats_with_the_seed_and_keeps_to_its_limit():
    rule = FaultRule(endpoint="*", kind=FaultKind.STATUS, probability=0.2, limit=10)
    runs = [struck(FaultPlan(3, [rule]), CREATE, 200) for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 10


def test_rule_is_read_from_text():
    text = "endpoint=bss.*,kind=throttle,calls=3+7,retry_after_s=2,retry_after_form=date"
    assert FaultRule.parse(text) == FaultRule(
        endpoint="bss.*",
        kind=FaultKind.THROTTLE,
        calls=(3, 7),
        retry_after_s=2,
        retry_after_form=RetryAfterForm.DATE,
    )


@pytest.mark.parametrize(
    "text", ["kind=status", "endpoint=*,kind=none", "endpoint=*,kind=delay,x=1"]
)
def test_rule_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        FaultRule.parse(text)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [(FaultKind.RESET_BEFORE, 0), (FaultKind.RESET_AFTER, 1), (FaultKind.TRUNCATE, 1)],
)
def test_cut_connection_stores_only_after_the_write(start, bss, kind, stored):
    sandbox = start(faults=(FaultRule(endpoint=CREATE, kind=kind, calls=(1,)),))
    api = bss(sandbox)
    broken = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    with pytest.raises(broken):
        api.call("POST", "/api/accounts", {"name": "A"})
    assert len(sandbox.bss.accounts("provider")) == stored
    assert sandbox.requests.count(CREATE, 0) == 1
    api.create_account("B")


def test_token_endpoint_can_be_down(start, partner_center):
    rule = FaultRule(endpoint="entra.token", kind=FaultKind.RESET_BEFORE, calls=(1,))
    sandbox = start(faults=(rule,))
    with pytest.raises(requests.ConnectionError):
        partner_center(sandbox)
    assert partner_center(sandbox).get("/customers").status_code == 200


@pytest.mark.parametrize(("kind", "body"), [("wrong_json", b"<html>"), ("empty_body", b"")])
def test_spoiled_body_comes_with_the_right_status(start, bss, kind, body):
    sandbox = start(faults=(FaultRule(endpoint=CREATE, kind=FaultKind(kind), calls=(1,)),))
    answer = bss(sandbox).call("POST", "/api/accounts", {"name": "A"})
    assert (answer.status_code, answer.content[:6]) == (201, body)
    assert len(sandbox.bss.accounts("provider")) == 1


@pytest.mark.parametrize(
    ("values", "status", "kind"),
    [
        ({"kind": FaultKind.THROTTLE, "retry_after_s": 3}, 429, "TooManyRequestsError"),
        ({"kind": FaultKind.STATUS, "status": 502}, 502, "ServiceError"),
        ({"kind": FaultKind.UNAUTHORIZED}, 401, "UnauthorizedError"),
        ({"kind": FaultKind.RATE_LIMIT_403}, 403, "RateLimitExceededError"),
        ({"kind": FaultKind.READ_ONLY_FIELD}, 403, "CustomFieldReadOnlyError"),
    ],
)
def test_refusal_has_the_services_own_shape(start, bss, values, status, kind):
    sandbox = start(faults=(FaultRule(endpoint=CREATE, calls=(1,), **values),))
    answer = bss(sandbox).call("POST", "/api/accounts", {"name": "A"})
    assert (answer.status_code, answer.json()["type"]) == (status, kind)
    assert sandbox.bss.accounts("provider") == ()
    assert sandbox.state.check()["total"].is_clean


def test_retry_after_may_be_a_date_and_is_watched(start, partner_center):
    rule = FaultRule(
        endpoint="partner_center.customers.list",
        kind=FaultKind.THROTTLE,
        calls=(1,),
        retry_after_s=30,
        retry_after_form=RetryAfterForm.DATE,
    )
    sandbox = start(faults=(rule,))
    api = partner_center(sandbox)
    answer = api.get("/customers")
    assert (answer.status_code, answer.json()["statusCode"]) == (429, 429)
    assert answer.headers["Retry-After"].endswith(" GMT")
    api.get("/customers")
    assert sandbox.requests.retry_after.disobeyed == 1


@pytest.mark.parametrize("kind", [FaultKind.DELAY, FaultKind.ANSWER_LATE])
def test_slow_answer_takes_its_time(start, bss, kind):
    sandbox = start(faults=(FaultRule(endpoint=CREATE, kind=kind, delay_s=0.2),))
    api = bss(sandbox)
    started = time.monotonic()
    api.create_account()
    assert time.monotonic() - started >= 0.2


def test_late_answer_is_stored_first(start, bss):
    rule = FaultRule(endpoint=CREATE, kind=FaultKind.ANSWER_LATE, delay_s=2.0)
    sandbox = start(faults=(rule,))
    with pytest.raises(requests.Timeout):
        bss(sandbox).call("POST", "/api/accounts", {"name": "A"}, timeout=0.3)
    assert len(sandbox.bss.accounts("provider")) == 1


def test_faults_are_set_while_running(sandbox, bss, control):
    call = control(sandbox)
    rules = ["endpoint=bss.accounts.create,kind=status", {"endpoint": "x", "kind": "delay"}]
    answer = call("PUT", "/faults", {"rules": rules})
    assert [rule["kind"] for rule in answer.json()["rules"]] == ["status", "delay"]
    assert bss(sandbox).call("POST", "/api/accounts", {"name": "A"}).status_code == 503
    assert call("GET", "/faults").json()["counts"] == {f"{CREATE} status": 1}
    assert call("PUT", "/faults", answer.json() | {"counts": {}}).status_code == 200
    assert call("PUT", "/faults", {"rules": ["nonsense"]}).status_code == 400


def test_several_rules_stand_in_one_text():
    one, other = "endpoint=bss.accounts.create,kind=reset_after", "endpoint=*,kind=delay,delay_s=2"
    assert FaultRule.parse_all(f"{one}; {other}") == (FaultRule.parse(one), FaultRule.parse(other))
    assert FaultRule.parse_all("") == FaultRule.parse_all(" ;") == ()
    with pytest.raises(ValueError, match="needs endpoint and kind"):
        FaultRule.parse_all(f"{one};kind=delay")
