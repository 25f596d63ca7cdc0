"""Whatever is staged: every customer is either rejected with a reason or becomes bodies that the BSS takes."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import orjson
from hypothesis import strategies as st

from customer_import.http.reader import read_json
from customer_import.mapping.source_columns import source_columns
from customer_import.partner_center.flatten import find_domain_prefix
from customer_import.tasks.load.records import present_values
from customer_import.tasks.transform.entities import build_entities
from customer_import.tasks.validate.judgement import Evidence, judge
from customer_import.tasks.validate.validate import _chunk
from customer_import.vocabulary import ImportType
from sandbox.bss.organisation import Organisation as Records
from sandbox.bss.setup import organisation_setup
from sandbox.bss.validation import Validator
from sandbox.journal import Journal
from tests.properties.counting import examined
from tests.properties.strategies import any_value, guids, texts, values
from tests.tasks.validate.runs import COUNTRY_RULES, GOOD, a_run, tenant

ROWS = 100
FRAME = 20
RUNS = {kind: a_run(kind) for kind in ImportType}
RECORDS = Records(organisation_setup("provider", 1), Journal(None))


def organisation() -> Any:
    """The look-ups of the sandbox's organisation, so that its own validation can be the judge."""
    from customer_import.bss.models import Organisation

    setup = RECORDS.setup
    return Organisation.model_validate(
        {
            "countries": [
                {
                    "id": country.id,
                    "name": country.name,
                    "code": country.code,
                    "states": [
                        {"id": state.id, "name": state.name, "code": state.code}
                        for state in country.states
                    ],
                }
                for country in setup.countries
            ],
            "tenant_marker_field_id": setup.tenant_marker.id,
        }
    )


ORGANISATION = organisation()


def row(number: int, tenant_id: str, source: dict[str, object], **columns: object) -> Any:
    return SimpleNamespace(
        tenant_id=tenant_id,
        position=number,
        tenant_name="x",
        domain=None,
        source=orjson.dumps(read_json(orjson.dumps(source))),  # as the border leaves it
        has_billing_profile=True,
        has_delegated_access=True,
        **{"domain_prefix": None, "reseller_mpn_id": None, "reseller_name": None, **columns},
    )


def check_bodies(entities: Any) -> None:
    """The sandbox's own validation takes account and contact as they would be sent."""
    account_id = RECORDS.create_account({"name": "x"}, {}).id
    for account, contact, options in zip(
        entities.accounts,
        entities.contacts,
        entities.sync_options,
        strict=True,
    ):
        Validator(RECORDS, "test").account(present_values(orjson.loads(account)))
        own = present_values(orjson.loads(contact))
        Validator(RECORDS, "test").contact(own | {"accountId": account_id})
        assert all(isinstance(value, str | None) for value in orjson.loads(options).values())


rows_drawn = st.lists(
    st.tuples(
        guids(),
        st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, values)),
        st.lists(texts, max_size=3),
    ),
    min_size=FRAME,
    max_size=FRAME,
)


@examined(rows_drawn, st.sampled_from(list(ImportType)), per_call=FRAME)
def test_mapping_makes_bodies_of_any_source(drawn: list[Any], kind: ImportType) -> None:
    run = RUNS[kind]
    rows = [
        row(
            number,
            tenant_id,
            source,
            domain_prefix=find_domain_prefix(domains),
            reseller_mpn_id="1234567",
        )
        for number, (tenant_id, source, domains) in enumerate(drawn)
    ]
    entities, again = (
        build_entities(source_columns(rows, run, ORGANISATION), run, ORGANISATION) for _ in range(2)
    )
    assert entities.tenant_ids == [item.tenant_id for item in rows]
    assert entities.content_hashes == again.content_hashes
    for entity in (entities.accounts, entities.contacts, entities.sync_options):
        for body in entity:
            assert b"\\u0000" not in body
            assert isinstance(orjson.loads(body), dict)


_runners: dict[ImportType, tuple[Any, Any]] = {}


def runner_of(kind: ImportType) -> tuple[Any, Any]:
    """Suites and their Great Expectations runner, made once: a run of it judges a whole batch."""
    if kind not in _runners:
        from customer_import.partner_center.models import CountryRules
        from customer_import.tasks.validate.account_suite import account_suite
        from customer_import.tasks.validate.contact_suite import contact_suite
        from customer_import.tasks.validate.country_checks import CountryChecks
        from customer_import.tasks.validate.customer_suite import customer_suite
        from customer_import.tasks.validate.expectations import SuiteRunner

        rules = {code: CountryRules.model_validate(body) for code, body in COUNTRY_RULES.items()}
        checks = CountryChecks(rules, ORGANISATION)
        run = RUNS[kind]
        suites = (customer_suite(run), account_suite(run, checks), contact_suite(run))
        _runners[kind] = (suites, SuiteRunner(suites))
    return _runners[kind]


@examined(st.integers(0, 2**64), st.sampled_from(list(ImportType)), per_call=ROWS)
def test_verdicts_reject_or_pass_every_row_and_what_passes_the_bss_takes(
    seed: int, kind: ImportType
) -> None:
    rng = random.Random(seed)  # noqa: S311 - drawn by Hypothesis
    run = RUNS[kind]
    rows = []
    for number in range(ROWS):
        source: dict[str, object] = dict(GOOD)
        for path in rng.sample(list(GOOD), rng.randrange(4)):
            source[path] = any_value(rng)
        key = tenant(number)
        if rng.random() < 0.1:
            key = rng.choice((key.upper(), "not a guid", ""))
        rows.append(row(number, key, source))
    suites, runner = runner_of(kind)
    evidence = Evidence(suites)
    evidence.add(_chunk(rows, run, ORGANISATION))
    verdicts = judge(evidence, runner.run)
    assert set(verdicts.rejected) <= set(range(ROWS))
    for findings in verdicts.rejected.values():
        assert findings
        assert all(finding.message for finding in findings)
    passed = [item for number, item in enumerate(rows) if number not in verdicts.rejected]
    assert len(passed) + len(verdicts.rejected) == ROWS
    if passed:
        columns = source_columns(passed, run, ORGANISATION)
        entities = build_entities(columns, run, ORGANISATION)
        assert entities.tenant_ids == [item.tenant_id for item in passed]
        check_bodies(entities)
