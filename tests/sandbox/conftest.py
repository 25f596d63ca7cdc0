"""A running sandbox and plain HTTP callers for each of its services."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msal
import pytest
import requests

from sandbox import SandboxConfig, SandboxServer

if TYPE_CHECKING:
    from sandbox.info import OrganisationInfo

SCOPE = "https://api.partnercenter.microsoft.com"


def _session(**headers):
    session = requests.Session()
    session.trust_env = False
    session.headers.update(headers)
    return session


def _partner_center(sandbox, *, is_app_only=False):
    info = sandbox.info
    http = _session()
    http.verify = info.ca_file
    app = msal.ConfidentialClientApplication(
        info.client_id,
        client_credential=info.client_secret,
        authority=info.authority,
        instance_discovery=False,
        http_client=http,
    )
    if is_app_only:
        grant = app.acquire_token_for_client(scopes=[f"{SCOPE}/.default"])
    else:
        scopes = [f"{SCOPE}/user_impersonation"]
        grant = app.acquire_token_by_refresh_token(info.refresh_token, scopes=scopes)
    return PartnerCenterCaller(
        f"{info.partner_center_url}/v1",
        _session(Authorization=f"Bearer {grant['access_token']}"),
    )


@dataclass
class PartnerCenterCaller:
    base: str
    http: requests.Session

    def get(self, path, **headers):
        return self.http.get(f"{self.base}{path}", headers=headers)

    def read(self, path, **headers):
        answer = self.get(path, **headers)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content)


@dataclass
class BssCaller:
    base: str
    http: requests.Session
    organisation: OrganisationInfo
    countries: dict = field(default_factory=dict)

    def call(self, method, path, body=None, **options):
        headers = options.pop("headers", {})
        if body is not None:
            kind = "application/json-patch+json" if method == "PATCH" else "application/json"
            headers = {"Content-Type": kind, **headers}
            options["data"] = json.dumps(body)
        return self.http.request(method, f"{self.base}{path}", headers=headers, **options)

    def read(self, path, **params):
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create_account(self, name="Contoso", **values):
        answer = self.call("POST", "/api/accounts", {"name": name, **values})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def country(self, code):
        if not self.countries:
            path = "/api/organization/countries"
            found = self.read(path, include="states", pageSize=500)["data"]
            self.countries.update({country["code"]: country for country in found})
        return self.countries[code]

    @property
    def marker_id(self):
        fields = self.read("/api/organization/accounts/customfields")["data"]
        return next(f["id"] for f in fields if f["name"] == self.organisation.tenant_marker_field)


def _bss(sandbox, key):
    organisation = getattr(sandbox.info, key)
    answer = _session().post(
        f"{sandbox.info.bss_url}/oauth/token",
        auth=(organisation.client_key, organisation.client_secret),
        data={
            "grant_type": "password",
            "username": organisation.username,
            "password": organisation.password,
        },
    )
    token = answer.json()["access_token"]
    http = _session(**{"Authorization": f"Bearer {token}", "X-Api-Version": "3"})
    return BssCaller(sandbox.info.bss_url, http, organisation)


@pytest.fixture
def start():
    """Start sandboxes that end with the test."""
    running = []

    def _start(**values):
        server = SandboxServer(SandboxConfig(**{"customers": 0, **values})).__enter__()
        running.append(server)
        return server

    yield _start
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def peopled():
    """A sandbox with every peculiarity, for tests that only read."""
    with SandboxServer(SandboxConfig(customers=120)) as server:
        yield server


@pytest.fixture
def sandbox(start):
    """An empty sandbox of the test's own."""
    return start()


@pytest.fixture
def partner_center():
    """Make a caller of Partner Center for a sandbox."""
    return _partner_center


@pytest.fixture
def bss():
    """Make a caller of the BSS for a sandbox and an organisation."""
    return lambda sandbox, key="provider": _bss(sandbox, key)


@pytest.fixture
def control():
    """Make a caller of the control API for a sandbox."""

    def make(sandbox):
        http = _session()

        def call(method, path, body=None):
            return http.request(method, f"{sandbox.info.control_url}{path}", json=body)

        return call

    return make


@pytest.fixture
def session():
    """A plain HTTP session that ignores the environment."""
    return _session()
