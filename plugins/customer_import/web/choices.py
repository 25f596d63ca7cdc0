"""What the dialog that starts an import offers for new records: by name, as the organisation was last read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from customer_import.bss.models import Choice, Choices
from customer_import.config.mapping import load_mappings
from customer_import.database.tables import import_runs, reference_data
from customer_import.errors import ConfigurationError
from customer_import.vocabulary import ReferenceName

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from customer_import.config.instances import InstanceConfig

_MOST = 500
"""Of one list; a name that is not offered can be given in Airflow's own form."""


@dataclass(frozen=True)
class Offer:
    """One parameter that a person may choose.

    Attributes:
        param: Name of the run's parameter.
        title: For people.
        otherwise: What holds when nothing is chosen.
        values: What there is, each with what is shown; empty when it is not known, and is entered freely.
    """

    param: str
    title: str
    otherwise: str
    values: tuple[tuple[str, str], ...]


def read_offers(
    connection: Connection | None, name: str, instance: InstanceConfig
) -> tuple[Offer, ...]:
    """Return what may be chosen for an import of an instance; what its API does not take is not offered."""
    bss = instance.bss
    choices = _last_read(connection, name)
    default = f"the default rule of {bss.responsible_user or 'the responsible user'}"
    offers = [
        Offer(
            "ordering_options",
            "Ordering options",
            bss.ordering_options or "what the BSS decides",
            _profiles(),
        )
    ]
    if bss.accepts_responsible_user:
        otherwise = bss.responsible_user or "what the BSS decides"
        users = _named(choices.users)
        offers.append(Offer("responsible_user", "Responsible user", otherwise, users))
    if bss.accepts_permission_rule:
        rules = _named(choices.permission_rules)
        otherwise = bss.permission_rule or default
        offers.append(Offer("permission_rule", "Permission rule", otherwise, rules))
    return tuple(offers)


def _profiles() -> tuple[tuple[str, str], ...]:
    try:
        profiles = load_mappings().ordering_options
    except ConfigurationError:
        return ()  # the run's first task says what is wrong
    return tuple(
        (name, f"{profile.title} ({name})" if profile.title else name)
        for name, profile in profiles.items()
    )


def _named(choices: tuple[Choice, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((one.name, one.name) for one in choices[:_MOST])


def _last_read(connection: Connection | None, instance: str) -> Choices:
    if connection is None:
        return Choices()
    columns = reference_data.c
    statement = (
        select(columns.body)
        .join(import_runs, import_runs.c.id == columns.run_id)
        .where(import_runs.c.instance == instance, columns.name == ReferenceName.CHOICES.value)
        .order_by(import_runs.c.id.desc())
        .limit(1)
    )
    body = connection.execute(statement).scalar_one_or_none()
    return Choices.model_validate(body) if body else Choices()
