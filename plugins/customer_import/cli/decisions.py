"""The commands ``customer-import decisions``: what people decided, in and out of the database."""

from __future__ import annotations

import getpass
from contextlib import suppress
from pathlib import Path  # noqa: TC003 - the library reads the annotations at run time
from typing import Annotated

import orjson
import typer

from customer_import.cli.airflow_context import outside_a_task

app = typer.Typer(
    help="What people decided about tenants: list it, write it to a file, read it from one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_SHOWN_UNSEEN = 20
OfInstance = Annotated[
    str | None, typer.Option("--instance", help="Only of this one; all when left out.")
]


@app.command("list")
def list_decisions(
    *,
    instance: OfInstance = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for programs.")
    ] = False,
) -> None:
    """Show the decisions that stand."""
    with outside_a_task() as answers:
        from customer_import.cli.database import ready_engine  # noqa: PLC0415
        from customer_import.database.engine import reading  # noqa: PLC0415
        from customer_import.decisions.store import read_standing  # noqa: PLC0415

        names = _names(instance)
        with reading(ready_engine()) as connection:
            found = [each for name in names for each in read_standing(connection, name)]
        for each in found:
            line = f"{each.instance}  {each.subject}  {each.says()}; {each.credit()}"
            typer.echo(orjson.dumps(each).decode() if as_json else line, answers)
    if not found:
        typer.echo("No decision stands.", err=True)


@app.command("export")
def export_decisions(
    file: Annotated[
        Path | None, typer.Argument(help="Where to; standard output when left out.")
    ] = None,
    *,
    instance: OfInstance = None,
) -> None:
    """Write the decisions that stand as YAML."""
    with outside_a_task() as answers:
        from customer_import.cli.database import ready_engine  # noqa: PLC0415
        from customer_import.decisions.file import export_text  # noqa: PLC0415

        text = export_text(ready_engine(), _names(instance))
        if file is None:
            typer.echo(text, answers, nl=False)
        else:
            file.write_text(text, encoding="utf-8")


@app.command("import")
def import_decisions(
    file: Annotated[Path, typer.Argument(help="A YAML file, as export writes it.")],
    *,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who decides, where the file does not say it; you by default."),
    ] = None,
    revoke_others: Annotated[
        bool,
        typer.Option(
            "--revoke-others",
            help="Revoke what else stands: the file is all there is, of the instance or of all.",
        ),
    ] = False,
    instance: Annotated[
        str | None, typer.Option("--instance", help="With --revoke-others: only of this one.")
    ] = None,
) -> None:
    """Decide what a file says: all of it, or nothing."""
    with outside_a_task() as answers:
        from customer_import.cli.database import ready_engine  # noqa: PLC0415
        from customer_import.config.instances import load_instances  # noqa: PLC0415
        from customer_import.decisions.file import import_file  # noqa: PLC0415

        done = import_file(
            ready_engine(),
            file,
            load_instances(),
            by or _own_name(),
            revokes_others_of=_names(instance) if revoke_others else (),
        )
        changes = done.changes
        typer.echo(
            f"{changes.made} decided, {changes.same} stood already, {changes.revoked} revoked, "
            f"{changes.over} over since their last day",
            answers,
        )
    if done.unseen:
        shown = ", ".join(done.unseen[:_SHOWN_UNSEEN])
        more = (
            f" and {len(done.unseen) - _SHOWN_UNSEEN} more"
            if len(done.unseen) > _SHOWN_UNSEEN
            else ""
        )
        typer.echo(f"No run has seen {len(done.unseen)} of the tenants: {shown}{more}", err=True)


def _own_name() -> str:
    """Return the name of the account that runs the command.

    Raises:
        ConfigurationError: It has none, as in a container of any user.
    """
    from customer_import.errors import ConfigurationError  # noqa: PLC0415

    with suppress(KeyError, OSError):
        return getpass.getuser()
    message = "who decides is not known: this account has no name"
    raise ConfigurationError(message, hint="say it with --by")


def _names(instance: str | None) -> list[str]:
    """Return the instances that are asked for.

    Raises:
        ConfigurationError: The instances file is wrong, or does not have that one.
    """
    from customer_import.config.instances import load_instance, load_instances  # noqa: PLC0415

    if instance is not None:
        load_instance(instance)
        return [instance]
    return list(load_instances())
