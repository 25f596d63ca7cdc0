"""Contact endpoints; the camelCase shape of version 3 is assumed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from sandbox.bss import errors
from sandbox.bss.calls import JSON, JSON_PATCH, json_body, number
from sandbox.bss.odata import ordered, parse_filter
from sandbox.bss.paging import page_body
from sandbox.bss.patch import apply_patch
from sandbox.bss.read_model import contact_document
from sandbox.bss.validation import Validator
from sandbox.wire import json_response, raw_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.bss.calls import Gate
    from sandbox.bss.models import Contact
    from sandbox.bss.odata import Row, Value
    from sandbox.bss.organisation import Organisation

_FILTERABLE: Mapping[str, type] = {
    "id": int,
    "accountId": int,
    "firstName": str,
    "lastName": str,
    "email": str,
    "phone": str,
    "isPrimary": bool,
    "isBillTo": bool,
    "createdAt": datetime,
    "updatedAt": datetime,
}
_ORDERABLE = ("accountname", "lastName", "firstName")
_CREATE_ERROR, _UPDATE_ERROR = "ContactNotCreatedError", "ContactNotUpdatedError"


class Contacts:
    """The endpoints under ``/api/contacts``."""

    def __init__(self, gate: Gate, *, accepts_owner_fields: bool) -> None:
        """Take what lets calls in."""
        self._gate = gate
        self._accepts_owner_fields = accepts_owner_fields

    def routes(self) -> list[web.RouteDef]:
        """The endpoints, named."""
        return [
            web.get("/api/contacts", self.list, name="contacts.list"),
            web.post("/api/contacts", self.create, name="contacts.create"),
            web.get("/api/contacts/{id}", self.get, name="contacts.get"),
            web.patch("/api/contacts/{id}", self.patch, name="contacts.patch"),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer a page of contacts."""
        organisation = self._gate.enter(request)
        contacts = _selected(organisation, request.query)
        body = page_body(request.url, contacts, lambda c: orjson.dumps(contact_document(c)))
        return raw_response(body)

    async def create(self, request: web.Request) -> web.Response:
        """Create a contact and answer it."""
        organisation = self._gate.enter(request)
        body = await json_body(request, JSON, _CREATE_ERROR)
        values = self._validator(organisation, _CREATE_ERROR).contact(body)
        return json_response(contact_document(organisation.create_contact(values)), 201)

    async def get(self, request: web.Request) -> web.Response:
        """Answer a contact."""
        organisation = self._gate.enter(request)
        return json_response(contact_document(_find(organisation, request)))

    async def patch(self, request: web.Request) -> web.Response:
        """Change a contact and answer it."""
        organisation = self._gate.enter(request)
        contact = _find(organisation, request)
        body = await json_body(request, JSON_PATCH, _UPDATE_ERROR)
        values, fields = apply_patch(contact.values, body, _UPDATE_ERROR)
        if fields:
            raise errors.invalid(_UPDATE_ERROR, "customFields", "Contacts have no custom fields.")
        values = self._validator(organisation, _UPDATE_ERROR).contact(values)
        return json_response(contact_document(organisation.update_contact(contact, values)))

    def _validator(self, organisation: Organisation, error: str) -> Validator:
        return Validator(organisation, error, self._accepts_owner_fields)


def _find(organisation: Organisation, request: web.Request) -> Contact:
    contact = organisation.contacts.get(number(request, "id", "Contact"))
    if contact is None:
        raise errors.not_found(entity="Contact", value=request.match_info["id"])
    return contact


def _selected(organisation: Organisation, query: Mapping[str, str]) -> list[Contact]:
    contacts = list(organisation.contacts.values())

    def row(contact: Contact) -> Row:
        own: dict[str, Value] = {
            "id": contact.id,
            "createdAt": contact.created_at,
            "updatedAt": contact.updated_at,
        }

        def read(name: str) -> Value:
            if name == "accountname":
                return organisation.accounts[contact.account_id].name
            return own[name] if name in own else contact.values.get(name)

        return read

    if "$filter" in query:
        condition = parse_filter(query["$filter"], _FILTERABLE)
        account_id = condition.equals.get("accountId")
        if isinstance(account_id, float):
            contacts = list(organisation.contacts_of(int(account_id)))
        contacts = [contact for contact in contacts if condition.takes(row(contact))]
    order = query.get("$orderBy", query.get("$orderby"))
    return ordered(contacts, order, _ORDERABLE, row) if order else contacts
