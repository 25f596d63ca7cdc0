"""The commands ``customer-import personal-data``: what is kept about one customer, told or erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from customer_import.cli.airflow_context import outside_a_task
from customer_import.text import trim

if TYPE_CHECKING:
    from sqlalchemy import Engine

app = typer.Typer(
    help="What is kept about one customer: show it, or erase it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Customer = Annotated[str, typer.Argument(help="Tenant id or primary domain.")]
_ELSEWHERE = (
    "Not erased: the BSS's account, Partner Center, and in Airflow task logs, which hold name and tenant id, and the "
    "parameters of runs that named it, as long as they are kept. While Partner Center lists the customer, the next run "
    "reads it anew, unless it is excluded: docs/decide.md"
)


@app.command("export")
def export(customer: Customer) -> None:
    """Write everything that is kept about a customer as JSON, by table."""
    with outside_a_task() as answers:
        from customer_import.cli.database import ready_engine  # noqa: PLC0415
        from customer_import.runs.personal_data import export_tenant  # noqa: PLC0415

        engine = ready_engine()
        told = export_tenant(engine, _tenant(engine, customer))
        options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
        typer.echo(orjson.dumps(told, option=options).decode(), answers)


@app.command("erase")
def erase(customer: Customer) -> None:
    """Erase everything personal about a customer; ids, outcomes, links and decisions stay."""
    with outside_a_task() as answers:
        from customer_import.cli.database import ready_engine  # noqa: PLC0415
        from customer_import.runs.personal_data import erase_tenant  # noqa: PLC0415

        engine = ready_engine()
        erased = erase_tenant(engine, _tenant(engine, customer))
        rows = ", ".join(f"{name} {count}" for name, count in sorted(erased.items()))
        typer.echo(f"Erased, rows by table: {rows or 'none, there was nothing'}", answers)
    typer.echo(_ELSEWHERE, err=True)


def _tenant(engine: Engine, customer: str) -> str:
    """Return the tenant id that a person means.

    Raises:
        ConfigurationError: Nobody has the domain, or several have it.
    """
    from customer_import.database.engine import reading  # noqa: PLC0415
    from customer_import.errors import ConfigurationError  # noqa: PLC0415
    from customer_import.partner_center.models import is_guid  # noqa: PLC0415
    from customer_import.runs.personal_data import find_tenants  # noqa: PLC0415

    name = trim(customer).lower()
    if is_guid(name):
        return name
    with reading(engine) as connection:
        found = find_tenants(connection, name)
    if len(found) == 1:
        return found.pop()
    meant = f"several tenants have or had the domain: {', '.join(sorted(found))}"
    message = meant if found else "no run has seen a tenant with this domain"
    raise ConfigurationError(message, source=customer, hint="give the tenant id")
