"""What the BSS takes: the create models of version 3, and the references in them.

Text limits are the sandbox's own, since the vendor publishes none; exceeding them is a refusal,
not a violation. Unknown fields, wrong types and references to nothing are violations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.bss.errors import invalid, read_only_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.bss.models import Json
    from sandbox.bss.organisation import Organisation
    from sandbox.wire import WireError

_EMAIL = re.compile(r"([a-zA-Z0-9+_\-\.]+@([a-zA-Z0-9_\-]+\.)+[a-zA-Z0-9]{2,20})*")
_MAX_EMAIL = 255


@dataclass(frozen=True, slots=True)
class _Field:
    kinds: tuple[type, ...]
    max_length: int = 0
    is_email: bool = False
    choices: tuple[object, ...] = ()


_BOOL = _Field((bool,))
_ID = _Field((int,))
_NUMBER = _Field((int, float))

_ADDRESS: Mapping[str, _Field] = {
    "address": _Field((str,), 255),
    "address2": _Field((str,), 255),
    "city": _Field((str,), 128),
    "postCode": _Field((str,), 64),
    "countryId": _ID,
    "stateId": _ID,
}
_OWNER = {"responsibleUserId": _ID, "permissionRuleId": _ID}
_ACCOUNT: Mapping[str, _Field] = {
    "name": _Field((str,), 255),
    "phone": _Field((str,), 64),
    "email": _Field((str,), _MAX_EMAIL, is_email=True),
    "billingAddress": _Field((dict,)),
    "orderingEnabled": _BOOL,
    "separateInvoices": _BOOL,
    "taxable": _BOOL,
    "autoInvoiceNotification": _BOOL,
    "resellingEnabled": _BOOL,
    "isAffiliate": _BOOL,
    "isBillingFrequencyEnabled": _BOOL,
    "creditLimit": _NUMBER,
    "billingFrequencyMarkup": _NUMBER,
    "noteType": _Field((int,), choices=(1, 2)),
    "paymentMethod": _Field((str,), 255),
    "billToAccountId": _ID,
    **_OWNER,
}
_CONTACT: Mapping[str, _Field] = {
    "accountId": _ID,
    "firstName": _Field((str,), 128),
    "lastName": _Field((str,), 128),
    "email": _Field((str,), _MAX_EMAIL, is_email=True),
    "phone": _Field((str,), 64),
    "mobilePhone": _Field((str,), 64),
    "isPrimary": _BOOL,
    "isBillTo": _BOOL,
    "isStorefrontUser": _BOOL,
    **_OWNER,
}
REQUIRED_ORDERING_FIELDS = (
    "orderingEnabled",
    "separateInvoices",
    "taxable",
    "autoInvoiceNotification",
    "resellingEnabled",
    "isAffiliate",
    "isBillingFrequencyEnabled",
    "creditLimit",
    "billingFrequencyMarkup",
    "noteType",
)
OWNER_FIELDS = frozenset({"responsibleUserId", "permissionRuleId", "billToAccountId"})


@dataclass(frozen=True, slots=True)
class Validator:
    """Checks bodies against one organisation.

    Attributes:
        organisation: Where countries, users and accounts are looked up.
        error: Error type of a refusal, such as ``AccountNotCreatedError``.
        accepts_owner_fields: Whether responsible user, rule and bill-to account are known.
    """

    organisation: Organisation
    error: str
    accepts_owner_fields: bool = True

    def account(self, body: object) -> Json:
        """Check an account's create model without its custom fields; nulls are dropped.

        Raises:
            WireError: 400 naming the property.
        """
        values = self._object(body, _ACCOUNT, "")
        if not values.get("name", "").strip():
            raise self._wrong(name="name", message="name is required.")
        if "billingAddress" in values:
            values["billingAddress"] = self._address(values["billingAddress"])
        bill_to = values.get("billToAccountId")
        if bill_to is not None and bill_to not in self.organisation.accounts:
            raise self._wrong(name="billToAccountId", message="The bill-to account does not exist.")
        self._owners(values)
        return values

    def require_ordering_fields(self, values: Json) -> None:
        """Insist on the fields that the specification lists as required beside the name.

        Raises:
            WireError: 400 naming the first property that is missing.
        """
        missing = next((name for name in REQUIRED_ORDERING_FIELDS if name not in values), None)
        if missing is not None:
            text = f"{missing} is required."
            raise invalid(self.error, missing, text, is_violation=False)

    def contact(self, body: object) -> Json:
        """Check a contact's create model; nulls are dropped.

        Raises:
            WireError: 400 naming the property.
        """
        if isinstance(body, dict) and "password" in {str(name).lower() for name in body}:
            raise self._wrong(
                name="password", message="A contact that is no storefront user has no password."
            )
        values = self._object(body, _CONTACT, "")
        if values.get("accountId") not in self.organisation.accounts:
            raise self._wrong(name="accountId", message="The account does not exist.")
        if not (values.get("firstName", "").strip() or values.get("lastName", "").strip()):
            raise self._wrong(name="lastName", message="A contact needs a name.")
        self._owners(values)
        return values

    def custom_fields(self, body: object) -> dict[int, str]:
        """Check a list of ``{id, value}``; a null value empties the field.

        Raises:
            WireError: 400 naming the property, or 403 for a read-only field.
        """
        if not isinstance(body, list):
            raise self._wrong(name="customFields", message="Custom fields come as a list.")
        known = {field.id: field for field in self.organisation.setup.custom_fields}
        values = {}
        for item in body:
            if not isinstance(item, dict) or set(item) - {"id", "value"} or "id" not in item:
                raise self._wrong(
                    name="customFields", message="A custom field has an id and a value."
                )
            field = known.get(item["id"]) if isinstance(item["id"], int) else None
            value = item.get("value")
            if field is None or not (value is None or isinstance(value, str)):
                raise self._wrong(
                    name="customFields", message="The custom field or its value is unknown."
                )
            if field.is_read_only:
                raise read_only_field(field.id)
            values[field.id] = value or ""
        return values

    def _address(self, body: object) -> Json:
        values = self._object(body, _ADDRESS, "billingAddress.")
        if "countryId" not in values:
            raise self._wrong(name="billingAddress.countryId", message="countryId is required.")
        country = self.organisation.setup.country(values["countryId"])
        if country is None:
            raise self._wrong(
                name="billingAddress.countryId", message="The country does not exist."
            )
        state_id = values.get("stateId")
        if state_id is not None and state_id not in {state.id for state in country.states}:
            raise self._wrong(
                name="billingAddress.stateId", message="The country has no such state."
            )
        return values

    def _owners(self, values: Json) -> None:
        setup = self.organisation.setup
        if values.get("paymentMethod") not in {None, *setup.payment_methods}:
            raise self._wrong(name="paymentMethod", message="The payment method does not exist.")
        if values.get("responsibleUserId") not in {None, *(user.id for user in setup.users)}:
            raise self._wrong(name="responsibleUserId", message="The user does not exist.")
        rules = {None, *(rule.id for rule in setup.permission_rules)}
        if values.get("permissionRuleId") not in rules:
            raise self._wrong(
                name="permissionRuleId", message="The permission rule does not exist."
            )

    def _object(self, body: object, fields: Mapping[str, _Field], prefix: str) -> Json:
        if not isinstance(body, dict):
            raise self._wrong(name=prefix.rstrip(".") or "body", message="An object is needed.")
        values: Json = {}
        for name, value in body.items():
            field = fields.get(name)
            is_hidden = name in OWNER_FIELDS and not self.accepts_owner_fields
            if field is None or is_hidden:
                raise self._wrong(name=f"{prefix}{name}", message="The field is unknown.")
            if value is not None:
                self._check(field, value, f"{prefix}{name}")
                values[name] = value
        return values

    def _check(self, field: _Field, value: object, name: str) -> None:
        is_bool = isinstance(value, bool)
        if not isinstance(value, field.kinds) or (is_bool and bool not in field.kinds):
            raise self._wrong(name=name, message="The value has the wrong type.")
        if field.choices and value not in field.choices:
            raise self._wrong(name=name, message="The value is not one of the choices.")
        if field.max_length and len(str(value)) > field.max_length:
            text = f"The text is longer than {field.max_length}."
            raise invalid(self.error, name, text, is_violation=False)
        if field.is_email and not _EMAIL.fullmatch(str(value)):
            text = "The e-mail address does not match the pattern."
            raise invalid(self.error, name, text, is_violation=False)

    def _wrong(self, name: str, message: str) -> WireError:
        return invalid(self.error, name, message)
