"""What the BSS answers: read models, which differ from what is written.

On a read, country and state are objects, ``noteType`` is a word, and custom fields come in
groups. Accounts are rendered once and kept until they change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from sandbox.bss.setup import CustomField

if TYPE_CHECKING:
    from sandbox.bss.models import Account, Contact, Json
    from sandbox.bss.organisation import Organisation
    from sandbox.bss.setup import BssCountry, ExternalSystem

_NOTE_TYPES = {1: "Invoice", 2: "Receipt"}
_ACCOUNT_DEFAULTS: Json = {
    "orderingEnabled": False,
    "separateInvoices": False,
    "taxable": True,
    "creditLimit": 0,
    "autoInvoiceNotification": False,
    "resellingEnabled": False,
    "isAffiliate": False,
    "isBillingFrequencyEnabled": False,
    "billingFrequencyMarkup": 0,
}
_CONTACT_TEXTS = ("firstName", "lastName", "email", "phone", "mobilePhone")
_CONTACT_FLAGS = ("isPrimary", "isBillTo", "isStorefrontUser")


class ReadModel:
    """Renders one organisation's records."""

    def __init__(self, organisation: Organisation) -> None:
        """Render for this organisation."""
        self._organisation = organisation
        self._countries = {country.id: country for country in organisation.setup.countries}
        self._kept: dict[tuple[int, bool], tuple[Account, dict[str, str] | None, bytes]] = {}

    def account(self, account: Account, *, has_custom_fields: bool) -> bytes:
        """Render an account; custom fields only when they were asked for."""
        key = (account.id, has_custom_fields)
        kept = self._kept.get(key)
        options = self._organisation.sync_options.get(
            (account.id, self._organisation.setup.microsoft.id)
        )
        if kept is not None and kept[0] is account and kept[1] is options:
            return kept[2]
        document = self._account(account)
        if has_custom_fields:
            document["customFields"] = self.custom_fields(account)
        body = orjson.dumps(document)
        self._kept[key] = (account, options, body)
        return body

    def address(self, account: Account) -> Json | None:
        """Render the billing address; None when the account has none."""
        values = account.values.get("billingAddress")
        if values is None:
            return None
        country = self._countries[values["countryId"]]
        state = next((s for s in country.states if s.id == values.get("stateId")), None)
        return {
            "id": account.address_id,
            "address": values.get("address"),
            "address2": values.get("address2"),
            "city": values.get("city"),
            "postCode": values.get("postCode"),
            "country": {"id": country.id, "name": country.name, "code": country.code},
            "state": {"id": state.id, "name": state.name, "code": state.code} if state else None,
        }

    def custom_fields(self, account: Account) -> list[Json]:
        """Render all custom fields in their group; one without value has no values."""
        setup = self._organisation.setup
        group = {"id": setup.field_group_id, "name": "Microsoft Cloud Services", "instanceId": 1}
        fields = [
            _custom_field(f, account.custom_fields.get(f.id, "")) for f in setup.custom_fields
        ]
        fields += self._options_as_fields(account)
        return [{"group": group, "groupFields": fields}]

    def _options_as_fields(self, account: Account) -> list[Json]:
        """Render the Microsoft options that have a value: the BSS shows them among the custom fields, too."""
        system = self._organisation.setup.microsoft
        values = self._organisation.sync_options.get((account.id, system.id), {})
        return [
            _custom_field(CustomField(system.id * 100 + number, option.name, option.alias), value)
            for number, option in enumerate(system.options)
            if (value := values.get(option.alias))
        ]

    def system(self, system: ExternalSystem, account_id: int) -> Json:
        """Render an account's options of a system."""
        values = self._organisation.sync_options.get((account_id, system.id), {})
        options = [
            {
                "alias": option.alias,
                "name": option.name,
                "isMandatory": option.is_mandatory,
                "value": values.get(option.alias),
            }
            for option in system.options
        ]
        return {"id": system.id, "name": system.name, "code": system.code, "options": options}

    def _account(self, account: Account) -> Json:
        values = account.values
        bill_to = values.get("billToAccountId")
        return {
            "id": account.id,
            "code": f"AC-{account.id} ",
            "name": values["name"],
            "phone": values.get("phone"),
            "email": values.get("email"),
            "createdAt": account.created_at,
            "updatedAt": account.updated_at,
            "billingAddress": self.address(account),
            **{name: values.get(name, value) for name, value in _ACCOUNT_DEFAULTS.items()},
            "isBackordering": False,
            "isNetworkReseller": False,
            "noteType": _NOTE_TYPES[values.get("noteType", 1)],
            "billToAccount": {"id": bill_to if bill_to is not None else account.id},
            "responsibleUserId": values.get("responsibleUserId"),
            "permissionRuleId": values.get("permissionRuleId"),
        }


def contact_document(contact: Contact) -> Json:
    """Render a contact."""
    values = contact.values
    return {
        "id": contact.id,
        "accountId": contact.account_id,
        **{name: values.get(name) for name in _CONTACT_TEXTS},
        **{name: values.get(name, False) for name in _CONTACT_FLAGS},
        "responsibleUserId": values.get("responsibleUserId"),
        "permissionRuleId": values.get("permissionRuleId"),
        "createdAt": contact.created_at,
        "updatedAt": contact.updated_at,
    }


def country_document(country: BssCountry, *, has_states: bool) -> Json:
    """Render a country; its states only when they were asked for."""
    document: Json = {
        "id": country.id,
        "code": country.code,
        "name": country.name,
        "isActive": True,
        "isDefault": country.code == "GR",
    }
    if has_states:
        document["states"] = state_documents(country)
    return document


def state_documents(country: BssCountry) -> list[Json]:
    """Render the states of a country."""
    return [
        {"id": state.id, "code": state.code, "name": state.name, "isActive": True}
        for state in country.states
    ]


def custom_field_definition(field: CustomField, group_id: int) -> Json:
    """Render the definition of an account custom field."""
    return {
        "id": field.id,
        "name": field.name,
        "group": {"id": group_id, "name": "Microsoft Cloud Services", "instanceId": 1},
        "type": "SimpleValue",
        "isCompulsory": False,
        "isReadOnly": field.is_read_only,
        "isUnique": False,
        "showInStorefront": False,
        "editableInStorefront": False,
        "valueDetails": {"type": "Text", "defaultValue": None, "apiField": field.api_field},
    }


def _custom_field(field: CustomField, value: str) -> Json:
    values = [{"id": str(field.id), "value": value}] if value else []
    return {"id": field.id, "name": field.name, "apiField": field.api_field, "values": values}
