"""Decisions as a YAML file, for those who keep them in Git: read into the table, and written from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from customer_import.config.files import FrozenModel, read_document
from customer_import.config.messages import Fault, WrongValueError
from customer_import.database.engine import reading
from customer_import.decisions.entry import Entry
from customer_import.decisions.store import (
    Author,
    Changes,
    RefusedDecisionError,
    decide,
    read_standing,
)
from customer_import.decisions.tenants import find_by_domain, find_seen
from customer_import.hints import choose
from customer_import.partner_center.models import is_guid
from customer_import.text import clean, trim, without_format
from customer_import.vocabulary import DecisionKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from customer_import.config.files import Document
    from customer_import.config.instances import InstanceConfig
    from customer_import.decisions.rules import Decision, Proposal

_HEAD = "# Decisions about Microsoft tenants; docs/decide.md explains them.\n"
_NAMED = 20


def _name(value: str | None) -> str | None:
    return trim(without_format(clean(value))).lower() or None if value is not None else None


def _person(value: str | None) -> str | None:
    return trim(clean(value)) or None if value is not None else None


class _FileEntry(Entry):
    """A decision with whom it is about, and who made it when, if that is known."""

    instance: Annotated[str, Field(min_length=1)]
    tenant: Annotated[str | None, AfterValidator(_name)] = None
    by: Annotated[str | None, Field(max_length=250), AfterValidator(_person)] = None
    at: AwareDatetime | None = None

    @cached_property
    def is_by_domain(self) -> bool:
        """Whether the tenant is named by its primary domain."""
        return self.tenant is not None and not is_guid(self.tenant)

    @model_validator(mode="after")
    def _is_about_somebody(self) -> Self:
        is_of_tenant = self.decision is not DecisionKind.EMPTY
        if is_of_tenant and self.tenant is None:
            message = "the key 'tenant' is missing"
            raise WrongValueError(message, "add a primary domain or a tenant id", path=("tenant",))
        if not is_of_tenant and self.tenant is not None:
            message = "tenant does not belong to the decision empty, which is about an import"
            raise WrongValueError(message, "remove it", path=("tenant",))
        if self.at is not None and self.at > datetime.now(UTC):
            message = "the moment of the decision lies ahead"
            raise WrongValueError(message, "correct it, or leave it out", path=("at",))
        return self


class _DecisionsFile(FrozenModel):
    version: Literal[1]
    decisions: tuple[_FileEntry, ...]


@dataclass(frozen=True)
class Imported:
    """What an import of a file came to.

    Attributes:
        changes: Of the table.
        unseen: Tenants that no run has seen; decided about all the same.
    """

    changes: Changes
    unseen: tuple[str, ...]


def import_file(
    engine: Engine,
    path: Path,
    instances: Mapping[str, InstanceConfig],
    author: str,
    *,
    revokes_others_of: Collection[str] = (),
) -> Imported:
    """Decide what a file says, all of it or nothing.

    Args:
        engine: The import's database.
        path: The file.
        instances: Those that are configured.
        author: Who decides, where the file does not say it.
        revokes_others_of: Instances of which whatever else stands is revoked.

    Raises:
        ConfigurationError: The file cannot be read, or something in it is wrong or contradicts what stands; names
            file, line and what to do.
    """
    document = read_document(path, _DecisionsFile, is_of_include=False)
    entries = document.content.decisions
    if faults := list(_unknown_instances(entries, instances)):
        raise document.refuse(faults)
    with reading(engine) as connection:
        proposals = _proposals(connection, document)
        unseen = _unseen(connection, proposals)
    authors = [Author(entry.by or author, entry.at) for entry in entries]
    try:
        changes = decide(
            engine,
            proposals,
            Author(author),
            authors=authors,
            revokes_others_of=revokes_others_of,
        )
    except RefusedDecisionError as error:
        refused = [
            Fault(("decisions", each.place), each.message, each.hint) for each in error.refusals
        ]
    else:
        return Imported(changes, unseen)
    raise document.refuse(refused)


def export_text(engine: Engine, instances: Iterable[str]) -> str:
    """Return what stands of some instances as the text of a file; read again it gives the same decisions."""
    with reading(engine) as connection:
        rows = [_item(each) for name in instances for each in read_standing(connection, name)]
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    body = {"version": 1, "decisions": rows}
    return _HEAD + str(yaml.dump(body, Dumper=dumper, sort_keys=False, allow_unicode=True))


def _item(decision: Decision) -> dict[str, Any]:
    value = decision.value
    item = {
        "instance": decision.instance,
        "tenant": None if decision.kind is DecisionKind.EMPTY else decision.subject,
        "import_type": decision.subject if decision.kind is DecisionKind.EMPTY else None,
        "decision": decision.kind.value,
        "account": int(value) if value and decision.kind is DecisionKind.LINK else None,
        "mpn_id": value if decision.kind is DecisionKind.RESELLER else None,
        "reseller_name": decision.reseller_name,
        "reason": decision.reason,
        "until": decision.until,
        "by": decision.by,
        "at": decision.at,
    }
    return {name: value for name, value in item.items() if value is not None}


def _unknown_instances(
    entries: Iterable[_FileEntry], instances: Mapping[str, InstanceConfig]
) -> Iterable[Fault]:
    for place, entry in enumerate(entries):
        config = instances.get(entry.instance)
        path = ("decisions", place, "instance")
        if config is None:
            message = f"there is no instance {entry.instance!r}"
            yield Fault(path, message, choose(entry.instance, instances))
        elif entry.import_type is not None and entry.import_type not in config.import_types:
            message = f"the instance {entry.instance!r} does not take {entry.import_type}"
            hint = choose(entry.import_type, map(str, config.import_types))
            yield Fault(("decisions", place, "import_type"), message, hint)


def _proposals(connection: Connection, document: Document[_DecisionsFile]) -> list[Proposal]:
    """Return what the file wants, by tenant id."""
    entries = document.content.decisions
    domains: dict[str, set[str]] = {}
    for entry in entries:
        if entry.is_by_domain and entry.tenant:
            domains.setdefault(entry.instance, set()).add(entry.tenant)
    known = {
        instance: find_by_domain(connection, instance, names) for instance, names in domains.items()
    }
    faults, proposals = [], []
    for place, entry in enumerate(entries):
        tenant = entry.tenant or ""
        if entry.is_by_domain:
            meant = sorted(known[entry.instance].get(tenant, ()))
            if len(meant) != 1:
                faults.append(Fault(("decisions", place, "tenant"), *_not_one(tenant, meant)))
                continue
            tenant = meant[0]
        proposals.append(entry.proposal(entry.instance, tenant))
    if faults:
        raise document.refuse(faults)
    return proposals


def _not_one(domain: str, meant: list[str]) -> tuple[str, str]:
    if meant:
        message = f"{domain} is the primary domain of {len(meant)} tenants"
        return message, f"name one by its id: {', '.join(meant[:_NAMED])}"
    message = f"no run has seen a tenant with the primary domain {domain[:100]!r}"
    return message, "correct it, name the tenant by its id, or let a run list the tenants first"


def _unseen(connection: Connection, proposals: Iterable[Proposal]) -> tuple[str, ...]:
    about: dict[str, Counter[str]] = {}
    for each in proposals:
        if each.kind is not DecisionKind.EMPTY:
            about.setdefault(each.instance, Counter())[each.subject] += 1
    return tuple(
        tenant
        for instance, tenants in about.items()
        for tenant in sorted(set(tenants) - find_seen(connection, instance, tenants))
    )
