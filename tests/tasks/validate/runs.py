"""Runs with staged customers, made without any stage before them. People and companies are invented."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from types import SimpleNamespace

import orjson
from sqlalchemy import insert

from customer_import.bss.models import Organisation
from customer_import.config.instances import load_instance
from customer_import.config.mapping import load_mappings
from customer_import.config.paths import include_folder
from customer_import.database.tables import staged_customers
from customer_import.runs.parameters import RunParams
from customer_import.runs.reference_data import put_reference
from customer_import.runs.run import Run
from customer_import.vocabulary import ImportType, ReferenceName
from tests.support.runs import begin_run

SHIPPED = include_folder() / "instances.yaml"

ORGANISATION = {
    "countries": [
        {
            "id": 1,
            "name": "United States",
            "code": "US",
            "states": [{"id": 10, "name": "Washington", "code": "WA"}],
        },
        {"id": 2, "name": "Germany", "code": "DE"},
        {
            "id": 3,
            "name": "Australia",
            "code": "AU",
            "states": [{"id": 30, "name": "Western Australia", "code": "WA"}],
        },
    ],
    "tenant_marker_field_id": 5,
    "responsible_user_id": 71,
    "permission_rule_id": 72,
}
COUNTRY_RULES = {
    "US": {
        "iso2Code": "US",
        "isStateRequired": True,
        "supportedStatesList": ["WA"],
        "isPostalCodeRequired": True,
        "postalCodeRegex": r"^\d{5}(-\d{4})?$",
        "isCityRequired": True,
        "phoneNumberRegex": r"^(1[ \-\/\.]?)?(\((\d{3})\)|(\d{3}))[ \-\/\.]?(\d{3})[ \-\/\.]?(\d{4})$",
        "countryCallingCodesList": ["1"],
    },
    "DE": {
        "iso2Code": "DE",
        "isStateRequired": False,
        "isPostalCodeRequired": True,
        "postalCodeRegex": "^[0-9]{5,5}$",
        "isCityRequired": True,
        "countryCallingCodesList": ["49"],
    },
}
ADDRESS = "billingProfile.defaultAddress."
GOOD = {
    "companyProfile.companyName": "Northwind Traders",
    "billingProfile.email": "office@northwind.example",
    "billingProfile.firstName": "Rosa",
    "billingProfile.lastName": "Lind",
    ADDRESS + "phoneNumber": "4255550100",
    ADDRESS + "addressLine1": "1 Long Road",
    ADDRESS + "city": "Redmond",
    ADDRESS + "state": "WA",
    ADDRESS + "country": "US",
    ADDRESS + "postalCode": "98052",
}


def tenant(number):
    return str(uuid.UUID(int=number + 1))


def customer(number=0, *, source=None, **columns):
    row = {
        "tenant_id": tenant(number),
        "position": number,
        "tenant_name": f"Company {number}",
        "domain": f"company{number}.example",
        "state": "fetched",
        "source": orjson.dumps(GOOD | (source or {})),
        "has_billing_profile": True,
        "has_delegated_access": True,
        "domain_prefix": f"company{number}",
        "is_discovered": True,
        "reseller_mpn_id": None,
        "reseller_name": None,
        "outcome": None,
        "reason_code": None,
    }
    return row | columns


def a_run(import_type=ImportType.DIRECT, mappings=None, instance=None, **params):
    """A run that is in no database, for the pure parts."""
    return Run(
        key=1,
        dag_id=import_type.dag_id,
        airflow_run_id="manual",
        import_type=import_type,
        params=RunParams(instance="default", **params),
        instance=instance or load_instance("default", path=SHIPPED),
        mappings=mappings or load_mappings(),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def rows_of(customers):
    return [SimpleNamespace(**row) for row in customers]


def organisation():
    return Organisation.model_validate(ORGANISATION)


def stage_run(engine, customers, import_type=ImportType.DIRECT, key="manual", **params):
    run = begin_run(
        engine, import_type.dag_id, key, import_type, RunParams(instance="default", **params), None
    )
    put_reference(engine, run.key, ReferenceName.ORGANISATION, ORGANISATION)
    put_reference(engine, run.key, ReferenceName.COUNTRY_RULES, COUNTRY_RULES)
    if customers:
        with engine.begin() as connection:
            connection.execute(
                insert(staged_customers), [row | {"run_id": run.key} for row in customers]
            )
    return run
