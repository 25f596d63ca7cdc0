"""Everything that one running sandbox holds, put together from its configuration."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING

from sandbox.bodies import ServedBodies, read_bodies
from sandbox.bss import Bss, Organisation
from sandbox.bss.setup import PROVIDER, TENANT_RESELLER, organisation_setup
from sandbox.check import CheckFigures, check_organisation
from sandbox.clouds import Cloud
from sandbox.credentials import partner_credentials
from sandbox.device_code import DeviceCodes, Person
from sandbox.edge import Edge
from sandbox.entra import Entra
from sandbox.existing import add_existing_accounts
from sandbox.faults import FaultPlan
from sandbox.journal import Journal
from sandbox.partner_center import PartnerCenter, Source
from sandbox.population import generate
from sandbox.request_log import RequestLog
from sandbox.tokens import TokenIssuer

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.config import SandboxConfig

_JOURNAL_FILE = "state.jsonl"


class World:
    """State and services of a sandbox, without any port."""

    def __init__(self, config: SandboxConfig, folder: Path) -> None:
        """Generate the population and take over what the folder's journal holds.

        Args:
            config: What the sandbox was told.
            folder: Where the journal lies; used only when the configuration names a data folder.
        """
        self.config = config
        self.credentials = partner_credentials(config.seed)
        self.requests = RequestLog(keeps_entries=config.keeps_request_log)
        self.faults = FaultPlan(config.seed, config.faults)
        self.edge = Edge(
            self.requests,
            self.faults,
            config.latency_ms / 1000,
            config.clock_offset_s,
            [] if config.keeps_exchanges else None,
        )
        self.source_refusals: Counter[str] = Counter()
        self.served: ServedBodies | None = (
            read_bodies(config.serve_bodies) if config.serve_bodies else None
        )
        self._journal = Journal(folder / _JOURNAL_FILE if config.data_dir else None)
        issuer = TokenIssuer(self.credentials.signing_key, time.time)
        self.source = self._source()
        self.organisations = {
            key: Organisation(organisation_setup(key, config.seed), self._journal)
            for key in (PROVIDER, TENANT_RESELLER)
        }
        codes = DeviceCodes(time.time)
        codes.person = Person(has_mfa=config.has_mfa, has_role=config.has_role)
        cloud = config.cloud or Cloud.GLOBAL
        self.entra = Entra(self.credentials, issuer, config.token_ttl_s, codes, cloud)
        self.partner_center = PartnerCenter(
            self.source,
            issuer,
            config,
            partner_tenant_id=self.credentials.tenant_id,
            refusals=self.source_refusals,
            served=self.served,
        )
        self.bss = Bss(
            self.organisations,
            issuer,
            config.token_ttl_s,
            journal=self._journal,
            accepts_owner_fields=config.accepts_owner_fields,
            requires_ordering_fields=config.requires_ordering_fields,
        )
        self._restore()

    def check(self) -> dict[str, CheckFigures]:
        """Check every organisation; ``total`` adds the calls that no organisation owns."""
        figures = {
            key: check_organisation(organisation, self.source)
            for key, organisation in self.organisations.items()
        }
        total = CheckFigures(contract_violations=len(self.bss.unattributed))
        for own in figures.values():
            total += own
        return figures | {"total": total}

    def reset(self) -> None:
        """Empty the BSS and the counters; customers and faults stay as they are."""
        for organisation in self.organisations.values():
            organisation.clear()
        self.bss.unattributed.clear()
        self.source_refusals.clear()
        self.requests.clear()
        self.faults.counts.clear()
        self._compact()
        self._add_existing_accounts()

    def close(self) -> None:
        """Bring the journal to its shortest form."""
        self._compact()

    def _source(self) -> Source:
        config = self.config
        population = generate(config.customers, config.seed, config.mix, config.resellers)
        source = Source(
            population,
            self.credentials.tenant_id,
            self._journal,
            hides_without_access=config.hides_without_access,
        )
        if self.served is not None:
            source.include(self.served.customers.values(), self.served.resellers)
        return source

    def _restore(self) -> None:
        is_empty = True
        for record in self._journal.replay():
            is_empty = False
            owner = record.get("organisation")
            if owner:
                self.organisations[owner].restore(record)
            else:
                self.source.restore(record)
                self.bss.restore(record)
        if is_empty:
            self._add_existing_accounts()
            self._journal.append({"kind": "begun"})

    def _add_existing_accounts(self) -> None:
        count = self.config.existing_accounts
        customers = tuple(self.source.customers.values()) if count else ()
        for organisation in self.organisations.values():
            add_existing_accounts(organisation, customers, count, self.config.seed)

    def _compact(self) -> None:
        own = (organisation.records() for organisation in self.organisations.values())
        begun = {"kind": "begun"}
        self._journal.compact(chain([begun], self.source.records(), self.bss.records(), *own))


def figures_document(figures: dict[str, CheckFigures]) -> dict[str, dict[str, int]]:
    """Turn check figures into what the control API answers."""
    return {owner: asdict(own) for owner, own in figures.items()}
