"""The control API: look at a sandbox's state and change what its services answer.

For tests, demo and benchmarks; it has no login and listens on loopback only. No importer may
know of it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from sandbox.bss.read_model import ReadModel, contact_document
from sandbox.bss.setup import PROVIDER
from sandbox.config import CustomerClass
from sandbox.device_code import Person, Reply
from sandbox.faults import FaultRule
from sandbox.population import generate_customer
from sandbox.population.peculiarities import PECULIARITIES
from sandbox.wire import json_response
from sandbox.world import figures_document

if TYPE_CHECKING:
    from sandbox.bss import Organisation
    from sandbox.population.models import Customer, Json
    from sandbox.world import World

_ADDED_FROM = 1_000_000


class Control:
    """Endpoints over a sandbox's state."""

    def __init__(self, state: World) -> None:
        """Take the state."""
        self._state = state
        self._added = 0

    def routes(self) -> list[web.RouteDef]:
        """The endpoints."""
        return [
            web.get("/state", self.state),
            web.get("/accounts", self.accounts),
            web.get("/contacts", self.contacts),
            web.get("/sync-options", self.sync_options),
            web.get("/customers", self.customers),
            web.post("/customers", self.add_customer),
            web.get("/customers/{id}", self.customer),
            web.patch("/customers/{id}", self.edit_customer),
            web.delete("/customers/{id}", self.remove_customer),
            web.post("/customers/{id}/activity", self.add_activity),
            web.get("/resellers", self.resellers),
            web.get("/requests", self.requests),
            web.put("/requests", self.keep_requests),
            web.get("/violations", self.violations),
            web.get("/faults", self.faults),
            web.put("/faults", self.set_faults),
            web.put("/person", self.set_person),
            web.post("/reset", self.reset),
            web.get("/check", self.check),
        ]

    async def state(self, _: web.Request) -> web.Response:
        """Answer counts of everything."""
        source = self._state.source
        organisations = {
            key: {
                "accounts": len(organisation.accounts),
                "contacts": len(organisation.contacts),
                "sync_options": len(organisation.sync_options),
                "violations": len(organisation.counters.violations),
                "refusals": organisation.counters.refusals,
                "synchronizations": organisation.counters.synchronizations,
            }
            for key, organisation in self._state.organisations.items()
        }
        return json_response(
            {
                "customers": len(source.customers),
                "resellers": len(source.resellers),
                "audit_records": len(source.audit),
                "organisations": organisations,
                "partner_center_refusals": self._state.source_refusals,
                "throttled": {
                    name: throttle.refused if throttle else 0
                    for name, throttle in self._state.partner_center.throttles.items()
                },
                "faults": self._state.faults.counts,
            }
        )

    async def accounts(self, request: web.Request) -> web.Response:
        """Answer all accounts of an organisation, with what the check knows of them."""
        organisation = self._organisation(request)
        reader = ReadModel(organisation)
        rows = [
            orjson.loads(reader.account(account, has_custom_fields=True))
            | {
                "tenantMarker": organisation.marker(account),
                "origin": account.origin,
                "existingKind": account.existing_kind,
            }
            for account in organisation.accounts.values()
        ]
        return json_response(rows)

    async def contacts(self, request: web.Request) -> web.Response:
        """Answer all contacts of an organisation."""
        contacts = self._organisation(request).contacts.values()
        return json_response([contact_document(contact) for contact in contacts])

    async def sync_options(self, request: web.Request) -> web.Response:
        """Answer all sync options of an organisation."""
        options = self._organisation(request).sync_options
        return json_response(
            [
                {"accountId": account_id, "systemId": system_id, "options": values}
                for (account_id, system_id), values in options.items()
            ]
        )

    async def customers(self, request: web.Request) -> web.Response:
        """Answer all customers with their truth; ``peculiarity`` and ``class`` narrow the list."""
        rows = [self._customer(customer) for customer in self._state.source.customers.values()]
        peculiarity, kind = request.query.get("peculiarity"), request.query.get("class")
        if peculiarity:
            rows = [row for row in rows if peculiarity in row["truth"]["peculiarities"]]
        if kind:
            rows = [row for row in rows if kind in row["truth"]["classes"]]
        return json_response(rows)

    async def customer(self, request: web.Request) -> web.Response:
        """Answer one customer with its truth."""
        found = self._state.source.customers.get(request.match_info["id"].lower())
        if found is None:
            return json_response({"error": "unknown customer"}, 404)
        return json_response(self._customer(found))

    async def add_customer(self, request: web.Request) -> web.Response:
        """Generate one more customer of a class, with a peculiarity if asked."""
        body = await _body(request)
        kind = CustomerClass(body.get("class", "direct"))
        name = body.get("peculiarity")
        peculiarity = next((p for p in PECULIARITIES if p.name == name), None)
        if name and peculiarity is None:
            return json_response({"error": "unknown peculiarity"}, 400)
        source = self._state.source
        while True:
            self._added += 1
            customer = generate_customer(
                _ADDED_FROM + self._added,
                seed=self._state.config.seed,
                made_as=kind,
                resellers=tuple(source.resellers.values()),
                peculiarity=peculiarity,
            )
            if customer.tenant_id not in source.customers:
                break
        source.add(customer, is_audited=bool(body.get("audit", True)))
        if body.get("changes"):
            source.edit(customer.tenant_id, body["changes"], is_audited=False)
        return json_response(self._customer(source.customers[customer.tenant_id]), 201)

    async def edit_customer(self, request: web.Request) -> web.Response:
        """Change a customer; ``audit`` false leaves no audit record."""
        body = await _body(request)
        is_audited = bool(body.pop("audit", True))
        try:
            found = self._state.source.edit(request.match_info["id"], body, is_audited=is_audited)
        except KeyError:
            return json_response({"error": "unknown customer"}, 404)
        except ValueError as error:
            return json_response({"error": str(error)}, 400)
        return json_response(self._customer(found))

    async def add_activity(self, request: web.Request) -> web.Response:
        """Leave ``count`` audit records of an ``operation`` that changes nothing of the customer."""
        body = await _body(request)
        operation = str(body.get("operation", "update_customer_user_licenses"))
        try:
            for _ in range(int(body.get("count", 1))):
                self._state.source.note(request.match_info["id"], operation)
        except KeyError:
            return json_response({"error": "unknown customer"}, 404)
        return json_response({"audit_records": len(self._state.source.audit)})

    async def remove_customer(self, request: web.Request) -> web.Response:
        """Take a customer out of Partner Center."""
        try:
            self._state.source.remove(request.match_info["id"])
        except KeyError:
            return json_response({"error": "unknown customer"}, 404)
        return json_response({"removed": request.match_info["id"]})

    async def resellers(self, _: web.Request) -> web.Response:
        """Answer all resellers."""
        return json_response([r.item() for r in self._state.source.resellers.values()])

    async def requests(self, request: web.Request) -> web.Response:
        """Answer counts per endpoint and status; ``full=1`` adds single requests."""
        log = self._state.requests
        document: Json = {
            "endpoints": log.by_endpoint(),
            "retry_after": asdict(log.retry_after),
            "keeps_entries": log.keeps_entries,
        }
        if request.query.get("full") == "1":
            document["entries"] = [asdict(entry) for entry in log.entries]
        return json_response(document)

    async def keep_requests(self, request: web.Request) -> web.Response:
        """Switch the keeping of single requests on or off."""
        self._state.requests.keeps_entries = bool((await _body(request)).get("keeps_entries"))
        return json_response({"keeps_entries": self._state.requests.keeps_entries})

    async def violations(self, _: web.Request) -> web.Response:
        """Answer every request that no correct client would have sent."""
        found = {
            key: [asdict(violation) for violation in organisation.counters.violations]
            for key, organisation in self._state.organisations.items()
        }
        found["unattributed"] = [asdict(violation) for violation in self._state.bss.unattributed]
        return json_response(found)

    async def faults(self, _: web.Request) -> web.Response:
        """Answer the fault rules in force and how often they struck."""
        plan = self._state.faults
        rules = [asdict(rule) for rule in plan.rules]
        return json_response({"rules": rules, "counts": plan.counts})

    async def set_faults(self, request: web.Request) -> web.Response:
        """Put a list of fault rules in force, given as ``{"rules": [...]}``."""
        body = await _body(request)
        try:
            rules = [
                FaultRule.parse(rule) if isinstance(rule, str) else FaultRule.from_values(rule)
                for rule in body["rules"]
            ]
        except (KeyError, ValueError) as error:
            return json_response({"error": str(error)}, 400)
        self._state.faults.replace(rules)
        return await self.faults(request)

    async def set_person(self, request: web.Request) -> web.Response:
        """Decide what the person does who is asked to sign in with a device code."""
        try:
            body = await _body(request)
            person = Person(**(body | {"reply": Reply(body.get("reply", Reply.CONSENT))}))
        except (TypeError, ValueError) as error:
            return json_response({"error": str(error)}, 400)
        self._state.entra.codes.person = person
        return json_response(asdict(person))

    async def reset(self, _: web.Request) -> web.Response:
        """Empty the BSS and the counters."""
        self._state.reset()
        return json_response({"reset": True})

    async def check(self, _: web.Request) -> web.Response:
        """Answer the check figures, per organisation and in total."""
        figures = self._state.check()
        return json_response(
            {"is_clean": figures["total"].is_clean, "figures": figures_document(figures)}
        )

    def _organisation(self, request: web.Request) -> Organisation:
        name = request.query.get("organisation", PROVIDER)
        found = self._state.organisations.get(name)
        if found is None:
            raise web.HTTPNotFound(text="unknown organisation")
        return found

    def _customer(self, customer: Customer) -> Json:
        return {
            "tenant_id": customer.tenant_id,
            "company_name": customer.company_name,
            "truth": asdict(self._state.source.truth(customer)),
            "document": customer.document,
            "subscriptions": customer.subscriptions,
            "reseller_ids": customer.reseller_ids,
        }


async def _body(request: web.Request) -> Json:
    try:
        body = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text="the body is no JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is no object")
    return body
