"""Who may write a tenant and what is written of it, decided without a database: value for value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from customer_import.config.instances import BssConfig
from customer_import.errors import AmbiguousWriteError, RejectedRequestError, RetriableError
from customer_import.tasks.load.claims import (
    LEASE,
    MOST_LEASE,
    Claim,
    ClaimRequest,
    ClaimState,
    Holder,
    Link,
    Step,
    decide,
    opened,
)
from customer_import.tasks.load.creation import Creation, Creator
from customer_import.tasks.load.entries import (
    Fence,
    LinkedElsewhereError,
    Note,
    Save,
    answer_to,
    is_new_account,
    links_to_write,
    results_to_write,
    tenants_of,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READ_AT = NOW - timedelta(hours=1)
SECOND = timedelta(seconds=1)
ME = Holder(7, 0, 2, "ab12")
FREE = Link(
    id=1,
    organisation="o",
    instance="default",
    tenant_id="t",
    import_type="direct",
    reseller_mpn_id=None,
    account_id=None,
    contact_id=None,
    account_step=Step.NONE,
    contact_step=Step.NONE,
    sync_options_step=Step.NONE,
    intent_at=None,
    content_hash=None,
    left_out=None,
    owed=None,
    is_adopted=False,
    created_by_run=None,
    read_at=None,
    written_by_run=None,
    holder=None,
    lease_until=None,
    attempts=3,
)
LINKED = replace(FREE, account_id=5, account_step=Step.DONE)
MINE = replace(FREE, holder=str(ME), lease_until=NOW + LEASE)
RESULT: Any = SimpleNamespace(tenant_id="t")


def request(
    import_type: str = "direct", *, is_in_both_lists: bool = False, creates: bool = True
) -> ClaimRequest:
    return ClaimRequest("t", import_type, is_in_both_lists, creates, READ_AT)


def claim(link: Link, wish: ClaimRequest | None = None) -> Claim:
    return decide(link, wish or request(), ME, NOW, instance="other")


def test_a_holder_is_read_back_as_it_was_written() -> None:
    assert str(ME) == "7/0/2/ab12"
    assert str(Holder(7, 0, 2)) == "7/0/2"
    assert Holder.parse("7/0/2/ab12") == ME
    assert Holder.parse("7/0/2") == Holder(7, 0, 2, "")
    begun = Holder(7, 0, 2, "ab12", 1700000000000)
    assert Holder.parse("7/0/2/ab12/1700000000000") == begun
    assert str(begun) == "7/0/2/ab12/1700000000000"


def test_attempts_of_one_batch_of_one_run_are_one_task() -> None:
    assert ME.is_same_task(Holder(7, 0, 9))
    assert not ME.is_same_task(Holder(7, 1, 2))
    assert not ME.is_same_task(Holder(8, 0, 2))


@pytest.mark.parametrize(
    ("one", "other", "is_after"),
    [
        (Holder(7, 0, 3), Holder(7, 0, 2), True),
        (Holder(7, 0, 2), Holder(7, 0, 2), False),
        (Holder(7, 1, 3), Holder(7, 0, 2), False),
        (Holder(7, 0, 1, "ab", 20), Holder(7, 0, 5, "cd", 10), True),  # the run was made again
        (Holder(7, 0, 5, "cd", 10), Holder(7, 0, 1, "ab", 20), False),
        (Holder(7, 0, 1, "ab", 20), Holder(7, 0, 5, "cd"), True),
    ],
)
def test_which_attempt_is_the_later_one(one: Holder, other: Holder, *, is_after: bool) -> None:
    assert one.is_after(other) is is_after


def test_a_claim_that_creates_records_its_intent() -> None:
    held = replace(
        FREE,
        holder=str(ME),
        lease_until=NOW + LEASE,
        instance="other",
        attempts=4,
        account_step=Step.INTENT,
        intent_at=NOW,
        created_by_run=7,
        read_at=READ_AT,
        written_by_run=7,
    )
    assert claim(FREE) == Claim(ClaimState.GRANTED, held, has_intent=True)
    indirect = claim(FREE, request("indirect"))
    assert indirect.link == replace(held, import_type="indirect")


@pytest.mark.parametrize(
    ("link", "creates"),
    [
        (FREE, False),
        (LINKED, True),
        (replace(FREE, account_step=Step.INTENT), True),
        (replace(LINKED, account_step=Step.NONE), True),
    ],
)
def test_a_claim_records_no_intent_where_something_may_be_there(link: Link, creates: bool) -> None:
    held = replace(link, holder=str(ME), lease_until=NOW + LEASE, instance="other", attempts=4)
    assert claim(link, request(creates=creates)) == Claim(ClaimState.GRANTED, held)


@pytest.mark.parametrize(
    ("holder", "lease_s", "state"),
    [
        ("8/0/1", 1, ClaimState.BUSY),
        ("7/1/1", 1, ClaimState.BUSY),
        ("8/0/1", 0, ClaimState.GRANTED),
        ("8/0/1", -1, ClaimState.GRANTED),
        ("8/0/1", None, ClaimState.GRANTED),
        ("8/0/1", MOST_LEASE.total_seconds(), ClaimState.BUSY),
        ("8/0/1", MOST_LEASE.total_seconds() + 1, ClaimState.GRANTED),
        ("7/0/1", 1, ClaimState.GRANTED),
        ("7/0/2/cd34", 1, ClaimState.GRANTED),
        ("7/0/3", 1, ClaimState.SUPERSEDED),
        ("7/0/3", -1, ClaimState.SUPERSEDED),
        ("7/1/3", -1, ClaimState.GRANTED),
    ],
)
def test_what_another_holder_means(holder: str, lease_s: float | None, state: ClaimState) -> None:
    until = None if lease_s is None else NOW + timedelta(seconds=lease_s)
    link = replace(FREE, holder=holder, lease_until=until)
    found = claim(link)
    assert found.state is state
    if state is not ClaimState.GRANTED:
        assert found == Claim(state, link)


def test_what_the_other_import_has_made_stays_its_own() -> None:
    indirect = request("indirect", is_in_both_lists=True)
    assert claim(LINKED, indirect) == Claim(ClaimState.OTHER_IMPORT, LINKED)
    assert claim(FREE, indirect).state is ClaimState.GRANTED
    assert claim(LINKED, request(is_in_both_lists=True)).state is ClaimState.GRANTED
    moved = claim(LINKED, request("indirect"))
    assert (moved.state, moved.link.import_type) == (ClaimState.GRANTED, "direct")


def test_a_hash_is_open_while_the_content_is_changed() -> None:
    assert opened(None) is None
    assert opened("abc") == "abc+open"
    assert opened("abc+open") == "abc+open"
    assert not FREE.is_complete
    assert replace(FREE, content_hash="abc+open").is_complete


def test_only_who_holds_a_tenant_may_write_it() -> None:
    held, lost = {"t": MINE}, {"t": replace(MINE, holder="8/0/1")}
    for entry in (Save(MINE), Fence("t")):
        assert answer_to(entry, held, {}, ME) is True
        assert answer_to(entry, lost, {}, ME) is False
        assert answer_to(entry, {}, {}, ME) is False
    assert answer_to(Note(), {}, {}, ME) is True


def test_an_account_belongs_to_the_first_that_gets_it() -> None:
    held = {"t": MINE, "u": replace(MINE, tenant_id="u")}
    owners: dict[int, str] = {}
    mine = Save(replace(MINE, account_id=5))
    assert answer_to(mine, held, owners, ME) is True
    assert owners == {5: "t"}
    assert answer_to(mine, held, owners, ME) is True
    theirs = answer_to(Save(replace(held["u"], account_id=5)), held, owners, ME)
    assert isinstance(theirs, LinkedElsewhereError)
    assert (theirs.account_id, theirs.tenant_id) == (5, "t")
    assert str(theirs) == "BSS account 5 is linked to tenant t"
    kept = {"t": replace(MINE, account_id=5)}
    assert answer_to(mine, kept, {5: "u"}, ME) is True


def test_which_account_is_new() -> None:
    with_account = replace(MINE, account_id=5)
    assert is_new_account(with_account, {"t": MINE})
    assert not is_new_account(with_account, {"t": with_account})
    assert is_new_account(with_account, {"t": replace(MINE, account_id=6)})
    assert not is_new_account(MINE, {"t": with_account})
    assert not is_new_account(with_account, {})


def test_whose_links_an_entry_needs() -> None:
    assert tenants_of(Save(MINE)) == ("t",)
    assert tenants_of(Fence("t")) == ("t",)
    assert tenants_of(Note(confirmed=("t", "u"))) == ("t", "u")
    assert tenants_of(request()) == ()


def test_what_is_written_is_what_was_carried_out_with_a_lease_from_now() -> None:
    granted, busy = Claim(ClaimState.GRANTED, MINE), Claim(ClaimState.BUSY, MINE)
    released = replace(MINE, holder=None, lease_until=None)
    entries: list[Any] = [
        request(),
        request(),
        Save(MINE),
        Save(MINE),
        Save(released, RESULT),
        Fence("t"),
    ]
    answers: list[Any] = [granted, busy, True, False, True, True]
    later = NOW + SECOND
    renewed = replace(MINE, lease_until=later + LEASE)
    assert list(links_to_write(entries, answers, later)) == [renewed, renewed, released]
    with pytest.raises(ValueError, match="zip"):
        list(links_to_write(entries, answers[:1], later))


def test_results_are_those_of_notes_and_of_saves_that_were_carried_out() -> None:
    entries: list[Any] = [
        Note((RESULT,)),
        Save(MINE, RESULT),
        Save(MINE, RESULT),
        Save(MINE),
        Fence("t"),
    ]
    answers = [True, True, False, True, True]
    assert list(results_to_write(entries, answers)) == [RESULT, RESULT]
    with pytest.raises(ValueError, match="zip"):
        list(results_to_write(entries, answers[:1]))


class Records:
    """A ledger that keeps what is saved, and a clock that sleeping moves."""

    def __init__(self) -> None:
        self.moment = NOW
        self.saved: list[Link] = []
        self.slept: list[float] = []
        self.holder = ME

    def now(self) -> datetime:
        return self.moment

    async def save(self, link: Link) -> Link:
        self.saved.append(link)
        return link

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)


def creator(records: Records) -> Creator:
    # A POST leaves within 10 s of its intent, is given up after 40 s more, and settles 5 s later.
    config = BssConfig(request_timeout_s=40, settle_delay_s=5)
    return Creator(records, config, records.sleep)  # type: ignore[arg-type]


def creation(send: Any, *found: int | None, name: str = "account") -> Creation:
    answers = list(found)

    async def find() -> int | None:
        return answers.pop(0)

    return Creation(name, send, find)


async def unsent(*_: object) -> int:
    raise AssertionError


def work_on(link: Link) -> Any:
    return SimpleNamespace(link=link, found=set())


def intent(name: str, at: datetime, **more: Any) -> Link:
    step: dict[str, Any] = {f"{name}_step": Step.INTENT}
    return replace(FREE, **step, intent_at=at, **more)


async def test_a_post_leaves_after_its_intent() -> None:
    records, work = Records(), work_on(FREE)

    async def send(on_turn: Any, settle: Any) -> int:
        await on_turn()
        return 9

    assert await creator(records).create(creation(send), work, is_fresh=False) == 9
    assert records.saved == [intent("account", NOW, created_by_run=7)]
    assert work.link == records.saved[0]
    contact = work_on(FREE)
    await creator(records).create(creation(send, name="contact"), contact, is_fresh=False)
    assert contact.link == intent("contact", NOW)


@pytest.mark.parametrize(
    ("waited_s", "is_recorded_anew"), [(0.0, False), (10.0, False), (10.1, True), (-1.0, True)]
)
async def test_an_intent_that_waited_long_is_recorded_anew(
    waited_s: float, is_recorded_anew: bool
) -> None:
    records, work = Records(), work_on(intent("account", NOW))

    async def send(on_turn: Any, settle: Any) -> int:
        records.moment += timedelta(seconds=waited_s)
        await on_turn()
        return 9

    await creator(records).create(creation(send), work, is_fresh=True)
    assert bool(records.saved) is is_recorded_anew


async def test_an_intent_without_a_moment_is_recorded_anew() -> None:
    records, work = Records(), work_on(replace(FREE, account_step=Step.INTENT))

    async def send(on_turn: Any, settle: Any) -> int:
        await on_turn()
        return 9

    await creator(records).create(creation(send), work, is_fresh=True)
    assert len(records.saved) == 1


WHERE: dict[str, Any] = {"service": "BSS", "endpoint": "POST"}


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (RejectedRequestError("no", **WHERE), Step.NONE),
        (RetriableError("no", **WHERE), Step.NONE),
        (AmbiguousWriteError("lost", **WHERE), Step.INTENT),
    ],
)
async def test_what_an_error_says_of_the_step(error: Exception, step: Step) -> None:
    work = work_on(intent("contact", NOW))

    async def send(on_turn: Any, settle: Any) -> int:
        raise error

    with pytest.raises(type(error)):
        await creator(Records()).create(creation(send, name="contact"), work, is_fresh=True)
    assert work.link.contact_step is step


@pytest.mark.parametrize(
    ("found", "retry_after", "slept"),
    [
        ((9,), None, [5.0]),
        ((9,), 8.0, [8.0]),
        ((9,), 2.0, [5.0]),
        ((None, 9), None, [5.0, 50.0]),
        ((None, None), 8.0, [8.0, 47.0]),
    ],
)
async def test_a_lost_answer_is_settled_when_it_can_come_no_more(
    found: tuple, retry_after: float | None, slept: list[float]
) -> None:
    records, work = Records(), work_on(intent("account", NOW))
    error = AmbiguousWriteError("lost", **WHERE)
    error.retry_after = retry_after

    async def send(on_turn: Any, settle: Any) -> int:
        if (number := await settle(error)) is not None:
            return number
        await on_turn()
        return 10

    number = await creator(records).create(creation(send, *found), work, is_fresh=True)
    assert number == (found[-1] or 10)
    assert work.found == ({"account"} if found[-1] else set())  # it may be somebody else's
    assert records.slept == slept
    assert len(records.saved) == (found[-1] is None)


@pytest.mark.parametrize(
    "unread", [RejectedRequestError("no", **WHERE), RetriableError("no", **WHERE)]
)
async def test_what_cannot_be_looked_for_stays_unknown(unread: Exception) -> None:
    work = work_on(intent("account", NOW))
    error = AmbiguousWriteError("lost", **WHERE)

    async def find() -> int | None:
        raise unread

    async def send(on_turn: Any, settle: Any) -> int:
        return await settle(error)

    with pytest.raises(AmbiguousWriteError) as raised:
        await creator(Records()).create(Creation("account", send, find), work, is_fresh=True)
    assert raised.value is error
    assert raised.value.__cause__ is unread
    assert work.link.account_step is Step.INTENT


@pytest.mark.parametrize(
    ("age_s", "found", "slept"),
    [
        (0, (9,), []),
        (0, (None, 9), [55.0]),
        (50, (None, 9), [5.0]),
        (55, (None,), []),
        (60, (None,), []),
        (-1000, (None, None), [55.0]),
    ],
)
async def test_the_post_of_the_dead_is_waited_for_until_it_can_come_no_more(
    age_s: float, found: tuple, slept: list[float]
) -> None:
    records = Records()
    work = work_on(intent("account", NOW - timedelta(seconds=age_s)))
    settled = await creator(records).settle(creation(unsent, *found), work)
    assert (settled, records.slept) == (found[-1], slept)
    assert work.link.account_step is (Step.INTENT if settled else Step.NONE)


async def test_what_was_not_sent_is_not_looked_for() -> None:
    for link in (FREE, LINKED):
        work = work_on(link)
        assert await creator(Records()).settle(creation(unsent), work) is None
        assert work.link is link
    timeless = work_on(replace(FREE, contact_step=Step.INTENT))
    records = Records()
    assert await creator(records).settle(creation(unsent, None, name="contact"), timeless) is None
    assert (records.slept, timeless.link.contact_step) == ([], Step.NONE)
