"""Lookup endpoints under ``/api/organization``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from sandbox.bss import errors
from sandbox.bss.calls import number
from sandbox.bss.paging import page_body
from sandbox.bss.read_model import (
    country_document,
    custom_field_definition,
    state_documents,
)
from sandbox.wire import json_response, raw_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.bss.calls import Gate
    from sandbox.bss.models import Json


class OrganizationLookups:
    """Countries, custom fields, systems, users and rules."""

    def __init__(self, gate: Gate) -> None:
        """Take what lets calls in."""
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """The endpoints, named."""
        base = "/api/organization"
        return [
            web.get(f"{base}/countries", self.countries, name="organization.countries"),
            web.get(f"{base}/countries/{{id}}/states", self.states, name="organization.states"),
            web.get(
                f"{base}/accounts/customfields",
                self.custom_fields,
                name="organization.custom_fields",
            ),
            web.get(f"{base}/externalSystems", self.systems, name="organization.external_systems"),
            web.get(f"{base}/users", self.users, name="organization.users"),
            web.get(f"{base}/permissionRules", self.rules, name="organization.permission_rules"),
            web.get(f"{base}/paymentMethods", self.methods, name="organization.payment_methods"),
        ]

    async def countries(self, request: web.Request) -> web.Response:
        """Answer a page of countries, with states when asked."""
        setup = self._gate.enter(request).setup
        has_states = "states" in request.query.get("include", "").lower().split(",")
        return _page(request, [country_document(c, has_states=has_states) for c in setup.countries])

    async def states(self, request: web.Request) -> web.Response:
        """Answer the states of a country."""
        setup = self._gate.enter(request).setup
        country = setup.country(number(request, "id", "OrganizationCountry"))
        if country is None:
            raise errors.not_found(entity="OrganizationCountry", value=request.match_info["id"])
        return json_response(state_documents(country))

    async def custom_fields(self, request: web.Request) -> web.Response:
        """Answer a page of account custom field definitions."""
        setup = self._gate.enter(request).setup
        group_id = setup.field_group_id
        return _page(request, [custom_field_definition(f, group_id) for f in setup.custom_fields])

    async def systems(self, request: web.Request) -> web.Response:
        """Answer a page of external systems."""
        setup = self._gate.enter(request).setup
        rows: list[Json] = [
            {"id": s.id, "code": s.code, "name": s.name, "isActive": s.is_active}
            for s in setup.systems
        ]
        return _page(request, rows)

    async def users(self, request: web.Request) -> web.Response:
        """Answer a page of users."""
        setup = self._gate.enter(request).setup
        rows: list[Json] = [
            {
                "id": user.id,
                "username": user.username,
                "fullName": user.full_name,
                "defaultPermissionRuleId": user.default_permission_rule_id,
            }
            for user in setup.users
        ]
        return _page(request, rows)

    async def rules(self, request: web.Request) -> web.Response:
        """Answer a page of permission rules."""
        setup = self._gate.enter(request).setup
        return _page(
            request, [{"id": rule.id, "name": rule.name} for rule in setup.permission_rules]
        )

    async def methods(self, request: web.Request) -> web.Response:
        """Answer a page of payment methods."""
        setup = self._gate.enter(request).setup
        return _page(request, [{"name": name} for name in setup.payment_methods])


def _page(request: web.Request, rows: Sequence[Json]) -> web.Response:
    return raw_response(page_body(request.url, rows, orjson.dumps, is_organization=True))
