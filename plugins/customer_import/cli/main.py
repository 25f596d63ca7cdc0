"""The command ``customer-import``: exit code 0 when all is right, 1 when something is wrong, 2 for wrong usage.

What takes seconds to import (Airflow, the API clients) is imported by the command that needs it.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import orjson
import typer
from typer.core import TyperGroup

from customer_import import __version__
from customer_import.cli import decisions, personal_data
from customer_import.cli.airflow_context import outside_a_task
from customer_import.errors import CustomerImportError

if TYPE_CHECKING:
    from collections.abc import Mapping

SOMETHING_WRONG, WRONG_USAGE = 1, 2


class _InWords(TyperGroup):
    """Ends a command that cannot do its work with the error's own words instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the library's own types are private
        try:
            return super().invoke(ctx)
        except CustomerImportError as error:
            message = str(error)
        except BrokenPipeError:  # who read the answers has enough of them; the library ends quietly
            raise
        except OSError as error:
            place = error.filename or "the output"
            message = f"{place}: cannot be used ({error.strerror}). Hint: look whether it is there, full, or not yours"
        typer.echo(message, err=True)
        raise typer.Exit(SOMETHING_WRONG)


app = typer.Typer(
    cls=_InWords,
    help="Import Microsoft Partner Center customers into interworks.cloud BSS.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(decisions.app, name="decisions")
app.add_typer(personal_data.app, name="personal-data")

Instance = Annotated[str | None, typer.Argument(help="Key of instances.yaml.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]


@app.command()
def version() -> None:
    """Show the version."""
    typer.echo(f"customer-import {__version__}")


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - the library calls it
    if is_wanted:
        version()
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):  # else who runs the command as a library reads it
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does
        else:
            sys.stdout.reconfigure(encoding="utf-8")  # a program or a file takes JSON and YAML


@app.command()
def setup() -> None:
    """Make what Airflow needs before the first import, and say what is still to be done."""
    with outside_a_task() as answers:
        from customer_import.cli.check import as_line  # noqa: PLC0415
        from customer_import.cli.setup import set_up  # noqa: PLC0415

        is_right = True
        for finding in set_up():
            is_right = is_right and finding.is_right
            typer.echo(as_line(finding), answers)
    if not is_right:
        typer.echo("Mend what is WRONG, and run the command again", err=True)
        raise typer.Exit(SOMETHING_WRONG)


@app.command()
def check(
    instance: Instance = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Try both ends of an instance with one read each and say what is right and what is wrong."""
    with outside_a_task() as answers:
        from customer_import.cli.check import as_line, as_record, check_instance  # noqa: PLC0415

        is_right = True
        for finding in check_instance(instance or _which_instance("check")):
            is_right = is_right and finding.is_right
            typer.echo(_json(as_record(finding)) if as_json else as_line(finding), answers)
    if not is_right:
        raise typer.Exit(SOMETHING_WRONG)


@app.command()
def connect(
    instance: Instance = None,
    *,
    by_address: Annotated[
        bool,
        typer.Option(
            "--by-address",
            help="Paste the address at which the browser ended, where device codes are forbidden.",
        ),
    ] = False,
) -> None:
    """Look at both ends of an instance, have a person consent at Microsoft, and store the refresh token."""
    with outside_a_task() as answers:
        from customer_import.cli.check import as_line  # noqa: PLC0415
        from customer_import.cli.connect import connect_instance  # noqa: PLC0415
        from customer_import.cli.person import Person  # noqa: PLC0415

        person = Person(answers)
        ask = person.sign_in_by_address if by_address else person.sign_in
        is_right = True
        for finding in connect_instance(instance or _which_instance("connect"), ask):
            is_right = is_right and finding.is_right
            typer.echo(as_line(finding), answers)
    if not is_right:
        typer.echo("Nothing was stored. Mend what is WRONG, and run the command again", err=True)
        raise typer.Exit(SOMETHING_WRONG)


@app.command()
def results(*, as_json: AsJson = False) -> None:
    """Show the latest import of each import type with a count per outcome."""
    with outside_a_task():
        from customer_import.cli.results import as_table, read_runs  # noqa: PLC0415

        runs = read_runs()
    if not runs:
        typer.echo("No import has run yet. Hint: start one in Airflow", err=True)
        raise typer.Exit(SOMETHING_WRONG)
    typer.echo("\n".join(map(_json, runs)) if as_json else as_table(runs))


@app.command()
def roles() -> None:
    """Print the roles of Airflow's FAB auth manager, for: customer-import roles | airflow roles import /dev/stdin."""
    from customer_import.cli.roles import known_roles  # noqa: PLC0415

    wanted, problems = known_roles()
    for problem in problems:
        typer.echo(problem, err=True)
    typer.echo(orjson.dumps(wanted, option=orjson.OPT_INDENT_2).decode())


def _which_instance(command: str) -> NoReturn:
    from customer_import.cli.check import known_instances  # noqa: PLC0415

    known = known_instances()
    message = f"Which instance? Known: {', '.join(known)}"
    typer.echo(f"{message}. Hint: customer-import {command} {known[0]}", err=True)
    raise typer.Exit(WRONG_USAGE)


def _json(record: Mapping[str, Any]) -> str:
    return orjson.dumps(record).decode()
