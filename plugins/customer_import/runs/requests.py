"""Requests for an import of named customers, as events of another system carry them. Pure.

What is wrong with an event is said in words and is no fault of the others. Requests for the same import are put
together, so that a burst of events starts one run.
"""

# ruff: noqa: TC001 - pydantic reads the annotations at run time
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field, ValidationError

from customer_import.config.files import FrozenModel
from customer_import.config.messages import WrongValueError, explain
from customer_import.errors import ConfigurationError
from customer_import.runs.parameters import Names
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_TENANTS: Final = 100
"""Of one event, and of one run. Each is read by itself; for more an import of all, or of what changed, costs less."""
_OF_AIRFLOW: Final = "from_rest_api"
"""What Airflow's REST API adds to the event of a caller."""
_NAME: Final = re.compile(r"\w[\w.-]{0,254}")


def _check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        message = "names no tenant"
        raise WrongValueError(message, "name at least one; an import of all is not asked for here")
    if len(names) > MOST_TENANTS:
        message = f"names {len(names)} tenants, more than the {MOST_TENANTS} of one event"
        raise WrongValueError(message, "send several events, or start an import of all")
    for number, name in enumerate(names):
        if not _NAME.fullmatch(name):
            message = "is neither a tenant id nor a domain"
            hint = "give tenant ids or primary domains as text"
            raise WrongValueError(message, hint, path=(number,))
    return names


class ImportRequest(FrozenModel):
    """A wish to import some customers now.

    Attributes:
        import_type: Whose customers they are.
        instance: Key of ``instances.yaml``.
        tenants: Tenant ids or primary domains, lower-cased; at least one, for none would mean all.
    """

    import_type: ImportType
    instance: Annotated[str, Field(min_length=1)]
    tenants: Annotated[Names, AfterValidator(_check_names)]

    @classmethod
    def parse(cls, extra: Mapping[str, Any], source: str) -> ImportRequest:
        """Read what an event carries.

        Args:
            extra: The event's.
            source: What the event is called in words.

        Raises:
            ConfigurationError: A field is missing, unknown or wrong; names it.
        """
        given = {name: value for name, value in extra.items() if name != _OF_AIRFLOW}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            fault = explain(error, cls, noun="field", shows_values=False)[0]
        raise ConfigurationError(  # outside of the handler: without pydantic's own text
            fault.message,
            source=source,
            path=".".join(map(str, ("extra", *fault.path))),
            hint=fault.hint,
        )


def gather_requests(
    extras: Iterable[Mapping[str, Any]],
) -> list[ImportRequest | ConfigurationError]:
    """Return the imports that events ask for, then what is wrong with the others.

    Args:
        extras: What each event carries, in their order.

    Returns:
        For each import type and instance one request, or several of at most ``MOST_TENANTS`` tenants.
    """
    wanted: dict[tuple[ImportType, str], dict[str, None]] = {}
    wrong: list[ConfigurationError] = []
    for number, extra in enumerate(extras, 1):
        try:
            request = ImportRequest.parse(extra, f"asset event {number}")
        except ConfigurationError as error:
            wrong.append(error)
        else:
            tenants = wanted.setdefault((request.import_type, request.instance), {})
            tenants.update(dict.fromkeys(request.tenants))
    return [
        *(
            ImportRequest(import_type=kind, instance=instance, tenants=part)
            for (kind, instance), tenants in wanted.items()
            for part in _parts(tuple(tenants))
        ),
        *wrong,
    ]


def _parts(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [names[at : at + MOST_TENANTS] for at in range(0, len(names), MOST_TENANTS)]
