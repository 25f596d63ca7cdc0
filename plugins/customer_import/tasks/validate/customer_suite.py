"""Rules about the customer itself: the tenant id that keys everything, the billing profile, the domain prefix.

Uniqueness is checked among the customers that are looked at together, letter case ignored; beyond
them the staging table's key sees to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from customer_import.config.mapping import SEVERAL_PREFIXES
from customer_import.mapping.selection import fields_of
from customer_import.tasks.validate.field_rules import length_of, lengths
from customer_import.tasks.validate.rules import (
    Chunk,
    Columns,
    Expectation,
    Rule,
    Suite,
    must_be_present,
    must_be_true,
)
from customer_import.vocabulary import ReasonCode, Severity

if TYPE_CHECKING:
    from customer_import.runs.run import Run

NAME = "customer"
_GUID = r"\A[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z"
_PREFIX = "tenant.domainPrefix"
_PREFIX_LENGTH = length_of(_PREFIX)
_PREFIX_IS_SHOWN = f"{_PREFIX} is shown"
_TELL = "Report it to whoever runs the import: Partner Center should not list such a customer."


def customer_suite(run: Run) -> Suite:
    """Return the suite for a run; the domain prefix is asked for only when a sync option is made of it."""
    rules = list(_RULES)
    options = fields_of(run.mappings.sync_options, run.import_type)
    if any(_PREFIX in option.sources for option in options.values()):
        rules += _DOMAIN_PREFIX
    return Suite(NAME, tuple(rules), _columns, needs_billing_profile=False)


def _columns(chunk: Chunk) -> Columns:
    tenant_ids = chunk.source.texts["tenant.id"]
    is_hidden = chunk.source.hidden.get(_PREFIX, np.zeros(chunk.source.size, np.bool_))
    return {
        "tenant.id": [key and key.lower() for key in tenant_ids],
        "has billing profile": chunk.has_billing_profile,
        _PREFIX_LENGTH: np.where(is_hidden, 0.0, lengths(chunk.source.texts[_PREFIX])),
        _PREFIX_IS_SHOWN: ~is_hidden,
        SEVERAL_PREFIXES: chunk.source.texts[SEVERAL_PREFIXES],
    }


_RULES = (
    Rule(
        name="present",
        field="tenant.id",
        severity=Severity.CRITICAL,
        message="The tenant id (id) is missing.",
        hint=_TELL,
        source="id",
        expectation=must_be_present("tenant.id"),
    ),
    Rule(
        name="guid",
        field="tenant.id",
        severity=Severity.CRITICAL,
        message="The tenant id (id) is not a GUID.",
        hint=_TELL,
        source="id",
        expectation=Expectation(
            "ExpectColumnValuesToMatchRegex", {"column": "tenant.id", "regex": _GUID}
        ),
    ),
    Rule(
        name="unique",
        field="tenant.id",
        severity=Severity.CRITICAL,
        message="The tenant id (id) is listed more than once.",
        hint=_TELL,
        source="id",
        expectation=Expectation("ExpectColumnValuesToBeUnique", {"column": "tenant.id"}),
    ),
    Rule(
        name="has_billing_profile",
        field="customer.billingProfile",
        severity=Severity.CRITICAL,
        message="The customer has no billing profile (billingProfile).",
        hint="Fill in the customer's billing information in Partner Center.",
        source="billingProfile",
        reason_code=ReasonCode.NO_BILLING_PROFILE,
        expectation=must_be_true("has billing profile"),
    ),
)
_DOMAIN_PREFIX = (
    Rule(
        name="domain_prefix_known",
        field=_PREFIX,
        severity=Severity.WARNING,
        message="The tenant has no onmicrosoft.com domain (companyProfile.domain); the domain prefix stays empty.",
        hint="Enter it at the account's sync options in the BSS.",
        source="companyProfile.domain",
        expectation=must_be_present(_PREFIX_LENGTH),
    ),
    Rule(
        name="domain_prefix_shown",
        field=_PREFIX,
        severity=Severity.WARNING,
        message="Partner Center does not show the tenant's domains (customDomains), because this partner has no "
        "delegated access to it; the domain prefix stays as it is in the BSS.",
        hint="Ask the customer for a GDAP relationship with the role Directory readers, or enter the prefix at the "
        "account's sync options in the BSS.",
        source="customDomains",
        expectation=must_be_true(_PREFIX_IS_SHOWN),
    ),
    Rule(
        name="domain_prefix_single",
        field=_PREFIX,
        severity=Severity.WARNING,
        message="The tenant has several onmicrosoft.com domains: {detail}. The domain prefix is the one that it had "
        "before, else that of the default domain, else the first of these.",
        hint="If another one is right, enter it at the account's sync options in the BSS.",
        source="customDomains",
        expectation=Expectation("ExpectColumnValuesToBeNull", {"column": SEVERAL_PREFIXES}),
        detail_column=SEVERAL_PREFIXES,
    ),
)
