"""What is there in the sandbox after the scenario: how to sign in, and one right request for every operation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests

from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.imports.scene import Scene

_TIMEOUT_S = 20


def logins(scene: Scene) -> dict[str, tuple[str, Callable[[], Mapping[str, str]]]]:
    """Return the address of each service, and what gives the headers that let a request in."""
    info = scene.sandbox.info

    def bss() -> dict[str, str]:
        own = info.provider
        form = {"grant_type": "password", "username": own.username, "password": own.password}
        answer = requests.post(
            f"{info.bss_url}/oauth/token",
            data=form,
            auth=(own.client_key, own.client_secret),
            timeout=_TIMEOUT_S,
        )
        token = answer.json()["access_token"]
        return {"Authorization": f"Bearer {token}", "X-Api-Version": "3"}

    def partner_center() -> dict[str, str]:
        form = {
            "grant_type": "refresh_token",
            "client_id": info.client_id,
            "client_secret": info.client_secret,
            "refresh_token": info.refresh_token,
            "scope": "https://api.partnercenter.microsoft.com/user_impersonation",
        }
        url = f"{info.entra_url}/{info.partner_tenant_id}/oauth2/v2.0/token"
        # The environment may name a bundle that does not know the sandbox's authority.
        session = requests.Session()
        session.trust_env = False
        answer = session.post(url, data=form, verify=info.ca_file, timeout=_TIMEOUT_S)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    return {"bss": (info.bss_url, bss), "partner_center": (info.partner_center_url, partner_center)}


def known_values(scene: Scene, service: str) -> dict[str, dict[str, Any]]:
    """Return by operation id what a right request is made of; ``*`` is for all."""
    return _bss(scene) if service == "bss" else _partner_center(scene)


def _bss(scene: Scene) -> dict[str, dict[str, Any]]:
    organisation, own = scene.bss(ImportType.DIRECT), scene.sandbox.info.provider
    setup = organisation.setup
    contact = next(iter(organisation.contacts.values()))
    country = setup.countries[0]
    marker = {"id": setup.tenant_marker.id, "value": "known"}
    patch = {"headers": {"Content-Type": "application/json-patch+json"}}
    return {
        "*": {"id": contact.account_id, "system": setup.microsoft.id},
        "token": {
            "data": {"grant_type": "password", "username": own.username, "password": own.password},
            "auth": (own.client_key, own.client_secret),
        },
        "accounts.create": {
            "json": {
                "name": "Known Ltd",
                "billingAddress": {"countryId": country.id, "city": "Here"},
                "customFields": [marker],
            },
            "query": {"include": "customFields"},
        },
        "accounts.list": {"query": {"include": "customFields", "$filter": "name eq 'Known Ltd'"}},
        "accounts.patch": {
            **patch,
            "json": [
                {"op": "replace", "path": "/billingAddress/city", "value": "There"},
                {"op": "remove", "path": "/phone"},
                {"op": "replace", "path": "/customFields", "value": [marker]},
            ],
        },
        "accounts.custom_fields.put": {"json": [marker]},
        "sync_options.post": {
            "json": [{"alias": setup.microsoft.options[0].alias, "value": "known"}]
        },
        "contacts.create": {"json": {"accountId": contact.account_id, "lastName": "Known"}},
        "contacts.get": {"id": contact.id},
        "contacts.patch": {
            **patch,
            "id": contact.id,
            "json": [{"op": "add", "path": "/phone", "value": "1"}],
        },
        "organization.states": {"id": country.id},
        "organization.countries": {"query": {"include": "states"}},
    }


def _partner_center(scene: Scene) -> dict[str, dict[str, Any]]:
    source = scene.sandbox.source
    customer = next(
        one
        for one in source.customers.values()
        if one.document.get("billingProfile") and one.access == "open"
    )
    reseller = next(iter(source.resellers.values()))
    today = datetime.now(UTC).date().isoformat()
    return {
        "*": {"id": customer.tenant_id, "iso": "DE"},
        "customers.list": {"query": {"size": "2"}},
        "relationships.list": {"query": {"relationship_type": "IsIndirectCloudSolutionProviderOf"}},
        "profiles.mpn": {"query": {"mpnId": reseller.mpn_id}},
        "partners.validate_resellers": {"json": {"partnerIds": [reseller.mpn_id, "1"]}},
        "audit_records": {"query": {"startDate": today, "endDate": today, "size": "1"}},
    }
