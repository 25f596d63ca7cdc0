"""Notices reach a mail server and a web server, once, and one that cannot be sent fails nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from airflow.sdk.execution_time.context import set_current_context
from sqlalchemy import select, update

from customer_import.config.instances import load_instances
from customer_import.database.tables import import_runs, sent_notices
from customer_import.notices.rules import Notice
from customer_import.notices.send import tell_again, tell_of_run
from customer_import.notices.store import claim
from customer_import.notices.watch import watch
from customer_import.runs.renewals import note_renewal
from customer_import.tasks.finish.close import close_run
from customer_import.vocabulary import NoticeKind
from tests.notices.receivers import MailServer, WebServer
from tests.tasks.finish.book import Book

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Engine

    from customer_import.runs.run import Run

LINK = "https://airflow.example/customer-import/?run_id=manual__1"
SMTP = {
    "notifier": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
    "options": {
        "to": ["ops@partner.example"],
        "from_email": "airflow@partner.example",
        "subject": "{title}",
        "html_content": "<p>{text}</p><p>{link}</p>",
    },
}
HTTP = {
    "notifier": "airflow.providers.http.notifications.http.HttpNotifier",
    "options": {"http_conn_id": "chat", "json": {"text": "{title}: {link}"}},
}


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with MailServer() as server, set_current_context(cast("Any", {})):
        plain = {"disable_ssl": True, "disable_tls": True, "retry_limit": 1}
        connection = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": server.port,
            "extra": plain,
        }
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        yield server


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    with WebServer() as server:
        address = {"conn_type": "http", "host": f"http://127.0.0.1:{server.port}"}
        monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps(address))
        yield server


@pytest.fixture
def book(engine: Engine) -> Book:
    return Book(engine)


@pytest.fixture(autouse=True)
def instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "instances.yaml"
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(path))
    write(path, by=[SMTP, HTTP])
    return path


def write(path: Path, more: dict[str, Any] | None = None, **notices: Any) -> None:
    own = {"title": "Contoso", "import_types": ["direct"], "notices": notices} | (more or {})
    path.write_text(yaml.safe_dump({"version": 1, "instances": {"default": own}}))


def write_all(path: Path, **more: Any) -> None:
    """Add instances to the one that is there."""
    content = yaml.safe_load(path.read_text())
    content["instances"] |= more
    path.write_text(yaml.safe_dump(content))


def end(
    book: Book,
    *,
    tenants: tuple[str, ...] = (),
    failed_tasks: Mapping[str, str] | None = None,
    **outcomes: int,
) -> Run:
    """End a run with so many customers of each outcome, and tell people of it."""
    run = book.begin(tenants=tenants)
    for outcome, count in outcomes.items():
        book.record(run, book.list(run, count), outcome, reason="The address is not known.")
    close_run(book.engine, run.key, failed_tasks or {})
    tell_of_run(book.engine, run.key, LINK)
    return run


def test_a_clean_run_is_silent_and_trouble_reaches_everybody_once(
    book: Book, mail: MailServer, chat: WebServer
):
    end(book, unchanged=40, created=1)
    assert mail.mails == chat.received == []

    run = end(book, unchanged=40, rejected=2, ambiguous=1)
    tell_of_run(book.engine, run.key, LINK)  # the task was killed and ran again

    subjects = [subject for subject, _ in mail.texts()]
    assert subjects == [
        "Contoso, direct customers: 2 customers failed or rejected",
        "Contoso, direct customers: 1 customer waiting for a decision",
    ]
    assert mail.texts()[0][1].startswith("<p>Run manual__2 ended as success with problems: ")
    for count in ("40 unchanged", "1 ambiguous", "2 rejected"):
        assert count in mail.texts()[0][1]
    assert LINK in mail.texts()[0][1]
    assert [each["text"] for each in chat.received] == [
        f"{subject}: {LINK}" for subject in subjects
    ]
    assert "Example Company" not in "".join(each.as_string() for each in mail.mails)


def test_what_goes_on_is_told_again_after_a_day_and_what_comes_back_at_once(
    book: Book, mail: MailServer, instances: Path
):
    write(instances, by=[SMTP])
    end(book, unchanged=40, rejected=2)
    end(book, unchanged=40, rejected=2)
    assert len(mail.mails) == 1
    with book.engine.begin() as connection:
        day_before = datetime.now(UTC) - timedelta(hours=25)
        connection.execute(update(sent_notices).values(sent_at=day_before))
    end(book, unchanged=40, rejected=2)
    assert len(mail.mails) == 2
    end(book, unchanged=42)
    end(book, unchanged=41, rejected=1)
    assert len(mail.mails) == 3


def test_an_import_of_some_and_one_that_failed_do_not_end_what_goes_on(
    book: Book, mail: MailServer, instances: Path
):
    write(instances, by=[SMTP], of=["problems"])
    end(book, unchanged=40, rejected=2)
    end(book, tenants=("contoso.example",), unchanged=1)
    end(book, failed_tasks={"extract_customers": "failed"})
    end(book, unchanged=40, rejected=2)
    assert len(mail.mails) == 1


@pytest.mark.parametrize(
    ("notifier", "words"),
    [
        ("airflow.providers.smtp.notifications.smtp.SmtpNotifer", "AttributeError"),
        ("customer_import.text.trim", "is no notifier of Airflow's"),
        ("nowhere.Notifier", "ModuleNotFoundError"),
    ],
)
def test_a_notifier_that_does_not_exist_is_said_and_fails_nothing(
    book: Book,
    instances: Path,
    mail: MailServer,
    caplog: pytest.LogCaptureFixture,
    notifier: str,
    words: str,
):
    write(instances, by=[{"notifier": notifier}])
    end(book, unchanged=40, rejected=2)
    assert words in kept(book.engine)[0]
    assert "could not be sent" in caplog.text


def test_a_mail_that_is_refused_is_said_without_names_and_sent_the_next_time(
    book: Book, instances: Path, mail: MailServer, caplog: pytest.LogCaptureFixture
):
    write(instances, by=[SMTP])
    mail.refuses = True
    end(book, unchanged=40, rejected=2)
    assert mail.mails == []
    assert kept(book.engine)[0].startswith("SmtpNotifier: ")
    assert "@" not in kept(book.engine)[0] + caplog.text
    mail.refuses = False
    end(book, unchanged=40, rejected=2)
    assert len(mail.mails) == 1
    assert kept(book.engine) == [""]


def test_what_a_run_could_tell_nobody_is_told_later_without_another_run(
    book: Book, instances: Path, mail: MailServer
):
    write(instances, by=[SMTP], of=["problems", "new_customers"])

    def look() -> None:
        tell_again(book.engine, ["default"], lambda dag_id, run_id: f"{LINK}/{dag_id}/{run_id}")

    mail.refuses = True
    run = end(book, unchanged=40, created=1, rejected=2)
    look()
    assert mail.mails == []
    mail.refuses = False
    look()
    look()
    titles, texts = zip(*sorted(mail.texts()), strict=True)
    assert titles == (
        "Contoso, direct customers: 1 customer created",
        "Contoso, direct customers: 2 customers failed or rejected",
    )
    assert all(f"{LINK}/{run.dag_id}/{run.airflow_run_id}" in text for text in texts)
    assert kept(book.engine) == ["", ""]


def test_an_instance_that_is_wrong_tells_nobody_and_says_so(
    book: Book, instances: Path, mail: MailServer, caplog: pytest.LogCaptureFixture
):
    run = end(book, unchanged=40)
    write(instances, by=[])
    tell_of_run(book.engine, run.key, LINK)
    assert "Nobody is told of this run" in caplog.text
    assert mail.mails == []


def kept(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [error or "" for error in connection.execute(select(sent_notices.c.error)).scalars()]


def test_a_scheduled_import_that_is_overdue_is_told_once_until_it_ended_well(
    book: Book, instances: Path, mail: MailServer
):
    write(instances, {"schedules": {"direct": {"cron": "@daily"}}}, by=[SMTP])
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)

    def look(days: float) -> int:
        watch(book.engine, load_instances(), LINK, now + timedelta(days=days))
        return len(mail.mails)

    assert look(0) == 0  # who has just been told of a schedule owes nothing
    assert look(0.4) == 0
    assert look(1) == 1
    assert mail.mails[0]["subject"] == "Contoso, direct customers: overdue"
    assert look(1.5) == 1

    def began(run: Run, days: float) -> None:
        with book.engine.begin() as connection:
            row = update(import_runs).where(import_runs.c.id == run.key)
            connection.execute(row.values(started_at=now + timedelta(days=days)))

    began(end(book, unchanged=40), 1.6)
    assert look(1.7) == 1
    for_one = book.begin(tenants=["contoso.example"])
    close_run(book.engine, for_one.key, {})
    began(for_one, 2.6)  # makes up for no night
    assert look(2.8) == 2


def test_a_schedule_that_was_away_owes_nothing_from_that_time(
    book: Book, instances: Path, mail: MailServer
):
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)

    def look(days: float, **schedules: Any) -> int:
        write(instances, {"schedules": schedules}, by=[SMTP])
        watch(book.engine, load_instances(), LINK, now + timedelta(days=days))
        return len(mail.mails)

    nightly = {"cron": "@daily"}
    assert look(0, direct=nightly) == 0
    assert look(1, direct=nightly) == 1
    assert look(2) == 1
    assert look(60, direct=nightly) == 1
    assert look(61, direct=nightly) == 2


def test_a_run_that_is_closed_again_after_a_later_one_tells_nothing_anew(
    book: Book, mail: MailServer, instances: Path
):
    write(instances, by=[SMTP], of=["problems", "new_customers"])

    def end_complete(**outcomes: int) -> Run:
        run = end(book, tenants=(), failed_tasks=None, **outcomes)
        of_all = update(import_runs).where(import_runs.c.id == run.key).values(is_complete=True)
        with book.engine.begin() as database:
            database.execute(of_all)
        return run

    first = end_complete(unchanged=40, created=1, rejected=2)
    assert len(mail.mails) == 2
    end_complete(unchanged=43)
    tell_of_run(book.engine, first.key, LINK)
    assert len(mail.mails) == 2
    end_complete(unchanged=41, rejected=2)
    assert len(mail.mails) == 3
    tell_of_run(book.engine, first.key, LINK)
    assert len(mail.mails) == 3


def test_a_client_secret_that_ends_soon_is_told_once_a_day(
    book: Book, instances: Path, mail: MailServer
):
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    more = {"partner_center": {"client_secret_ends": "2026-07-10"}}
    write(instances, more, by=[SMTP])
    for hours in (0, 1, 25):
        watch(book.engine, load_instances(), LINK, now + timedelta(hours=hours))
    assert [mail["subject"] for mail in mail.mails] == [
        "Contoso: Partner Center's client secret ends on 2026-07-10"
    ] * 2


def test_a_refresh_token_is_told_before_it_ends_reckoned_from_the_last_sign_in(
    book: Book, instances: Path, mail: MailServer, monkeypatch: pytest.MonkeyPatch
):
    connection = {
        "conn_type": "partner_center",
        "login": "11111111-2222-3333-4444-555555555555",
        "password": "invented",
        "extra": {
            "tenant_id": "11111111-2222-3333-4444-666666666666",
            "flow": "app_user",
            "refresh_token_variable": "refresh_token",
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_PARTNER_CENTER_DEFAULT", json.dumps(connection))
    write(instances, by=[SMTP])
    begun = datetime(2026, 7, 1, 12, tzinfo=UTC)
    run = book.begin()
    at = {"started_at": begun, "listed": 1}
    with book.engine.begin() as database:
        database.execute(update(import_runs).where(import_runs.c.id == run.key).values(**at))

    def look(days: float) -> list[str]:
        mail.mails.clear()
        watch(book.engine, load_instances(), LINK, begun + timedelta(days=days))
        return [mail["subject"] for mail in mail.mails]

    assert look(75) == []
    assert look(80) == ["Contoso: Partner Center's refresh token ends on 2026-09-29"]
    note_renewal(book.engine, "default", begun + timedelta(days=79))
    note_renewal(book.engine, "default", begun + timedelta(days=81))
    assert look(82) == []

    other = {"title": "Other", "import_types": ["indirect"]}  # by the same connection
    write_all(instances, other=other)
    note_renewal(book.engine, "other", begun + timedelta(days=100))
    assert look(81 + 80) == []
    assert look(100 + 80) == ["Contoso: Partner Center's refresh token ends on 2027-01-07"]


def test_of_many_tasks_that_would_tell_at_once_one_does(engine: Engine):
    notice = Notice(NoticeKind.OVERDUE, "overdue", "text", LINK, "direct")
    start, now = Barrier(8), datetime(2026, 7, 1, tzinfo=UTC)

    def ask(_: int) -> bool:
        start.wait(10)
        return claim(engine, "default", notice, timedelta(hours=24), now)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
