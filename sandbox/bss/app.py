"""The BSS as one service: its token endpoint, its endpoints, its counters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiohttp import BasicAuth, web

from sandbox.bss import errors
from sandbox.bss.accounts import Accounts
from sandbox.bss.calls import Gate, organisation_of
from sandbox.bss.contacts import Contacts
from sandbox.bss.models import Account, Contact, Violation, read_violation
from sandbox.bss.organization import OrganizationLookups
from sandbox.bss.read_model import ReadModel
from sandbox.bss.sync_options import SyncOptions
from sandbox.edge import Service
from sandbox.faults import FaultKind, FaultRule
from sandbox.tokens import TokenIssuer, TokenKind
from sandbox.wire import WireError, json_response, quotation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.bss.organisation import Organisation
    from sandbox.journal import Journal, JournalRecord

_UNATTRIBUTED = "unattributed_violation"
_FORM = "application/x-www-form-urlencoded"


class Bss:
    """All organisations behind one host; the token decides which one a call is for."""

    def __init__(
        self,
        organisations: Mapping[str, Organisation],
        issuer: TokenIssuer,
        token_ttl_s: float,
        *,
        journal: Journal,
        accepts_owner_fields: bool,
        requires_ordering_fields: bool,
    ) -> None:
        """Take the organisations by key and the behaviour asked for."""
        self.organisations = organisations
        self._journal = journal
        self.unattributed: list[Violation] = []
        self._issuer = issuer
        self._token_ttl_s = token_ttl_s
        gate = Gate(organisations, issuer)
        readers = {key: ReadModel(organisation) for key, organisation in organisations.items()}
        self._parts = (
            Accounts(
                gate,
                readers,
                accepts_owner_fields=accepts_owner_fields,
                requires_ordering_fields=requires_ordering_fields,
            ),
            Contacts(gate, accepts_owner_fields=accepts_owner_fields),
            SyncOptions(gate, readers),
            OrganizationLookups(gate),
        )
        self.service = Service(
            "bss",
            unknown_path=lambda _: errors.refused(
                404, "ResourceNotFoundError", "There is no such resource.", is_violation=True
            ),
            faulty=_faulty,
            refused=self._refused,
        )

    def routes(self) -> list[web.RouteDef]:
        """The endpoints, named."""
        token = web.post("/oauth/token", self.token, name="token")
        return [token, *(route for part in self._parts for route in part.routes())]

    def accounts(self, organisation: str) -> tuple[Account, ...]:
        """The accounts of an organisation, oldest first."""
        return tuple(self.organisations[organisation].accounts.values())

    def contacts(self, organisation: str) -> tuple[Contact, ...]:
        """The contacts of an organisation, oldest first."""
        return tuple(self.organisations[organisation].contacts.values())

    async def token(self, request: web.Request) -> web.Response:
        """Answer a token for a user's password; the client authenticates by Basic only."""
        if request.content_type != _FORM:
            raise errors.oauth(
                error="invalid_request", description="A form is needed.", is_violation=True
            )
        form = await request.post()
        if "client_id" in form or "client_secret" in form:
            text = "Client credentials belong in the Authorization header."
            raise errors.oauth(error="invalid_client", description=text, is_violation=True)
        if form.get("grant_type") != "password":
            raise errors.oauth(
                error="unsupported_grant_type", description="Use password.", is_violation=True
            )
        organisation = self._by_client(request.headers.get("Authorization", ""))
        known = organisation.setup.credentials
        if (form.get("username"), form.get("password")) != (known.username, known.password):
            raise errors.oauth(
                error="invalid_grant", description="The user name or password is incorrect."
            )
        token = self._issuer.issue(TokenKind.BSS, organisation.setup.key, self._token_ttl_s)
        lifetime_s = int(self._token_ttl_s)
        return json_response(
            {"access_token": token, "token_type": "bearer", "expires_in": lifetime_s}
        )

    def restore(self, record: JournalRecord) -> None:
        """Take over one record of the journal that belongs to no organisation."""
        if record["kind"] == _UNATTRIBUTED:
            self.unattributed.append(read_violation(record["value"]))

    def records(self) -> Iterator[JournalRecord]:
        """All that the journal must hold beside the organisations' records."""
        return map(_record, self.unattributed)

    def _by_client(self, authorization: str) -> Organisation:
        try:
            basic = BasicAuth.decode(authorization)
        except ValueError as error:
            text = "Client credentials are missing."
            raise errors.oauth(
                error="invalid_client", description=text, is_violation=True
            ) from error
        for organisation in self.organisations.values():
            known = organisation.setup.credentials
            if (basic.login, basic.password) == (known.client_key, known.client_secret):
                return organisation
        raise errors.oauth(error="invalid_client", description="Unknown client.")

    def _refused(self, request: web.Request, endpoint: str, error: WireError) -> None:
        organisation = organisation_of(request)
        if organisation is None and error.is_violation:
            violation = Violation(datetime.now(UTC), endpoint, error.reason)
            self.unattributed.append(violation)
            self._journal.append(_record(violation))
        elif organisation is not None and error.is_violation:
            organisation.count_violation(endpoint, error.reason)
        elif organisation is not None:
            organisation.count_refusal(endpoint, error.reason)


def _record(violation: Violation) -> JournalRecord:
    return {"kind": _UNATTRIBUTED, "value": violation}


def _faulty(rule: FaultRule, request: web.Request) -> WireError:
    match rule.kind:
        case FaultKind.THROTTLE:
            kind = "TooManyRequestsError"
            return errors.refused(429, kind, "Too many requests.", is_retriable=True)
        case FaultKind.UNAUTHORIZED:
            return errors.unauthorized()
        case FaultKind.RATE_LIMIT_403:
            return errors.rate_limited()
        case FaultKind.READ_ONLY_FIELD:
            return errors.read_only_field()
        case FaultKind.QUOTE:
            return _quoting(rule.status, request)
        case _:
            text = "The service is unavailable."
            return errors.refused(rule.status, "ServiceError", text, is_retriable=True)


def _quoting(status: int, request: web.Request) -> WireError:
    said = quotation(request)
    if request.content_type == _FORM:
        return errors.oauth("invalid_grant", said, status)
    return errors.refused(status, "ValidationError", said, prop="email", value=said)
