"""Reads an Airflow connection into checked values: what both services ask of theirs, in one place.

The words name the connection and the field as the form shows it, never what the field holds.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow.sdk import BaseHook, Variable
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from pydantic import ConfigDict, ValidationError

from customer_import.config.files import FrozenModel
from customer_import.config.messages import explain
from customer_import.config.pasted import one_line
from customer_import.connection_types import CONNECTION_TYPES
from customer_import.errors import ConfigurationError, CustomerImportError
from customer_import.hints import choose
from customer_import.http.address import Address, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Connection

_FORMER_TYPES = ("http", "https")
_HOST_PARTS = ("host", "login", "password")


class ConnectionExtra(FrozenModel):
    """What the extra of every connection may hold; digits may be written as a number."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    ca_file: str | None = None
    allow_plain_http: bool = False


ExtraT = TypeVar("ExtraT", bound=ConnectionExtra)


@dataclass(frozen=True)
class ConnectionKind(Generic[ExtraT]):
    """What a service asks of its connection.

    Attributes:
        conn_type: Airflow's connection type; connections made before there was one have the type HTTP.
        extra: Model of the extra.
        default_host: What an empty host means, by the extra; without it a host is needed.
        misplaced: What to do about extra keys that belong elsewhere.
    """

    conn_type: str
    extra: type[ExtraT]
    default_host: Callable[[ExtraT], str] | None = None
    misplaced: Mapping[str, str] = field(default_factory=dict)

    @property
    def form(self) -> dict[str, Any]:
        """The form that Airflow shows for it."""
        return next(form for form in CONNECTION_TYPES if form["connection-type"] == self.conn_type)

    def fill(self, name: str) -> str:
        """Return the hint to fill a field, standard or of the extra, by its label."""
        fields = self.form["conn-fields"]
        label = fields[name]["label"] if name in fields else self._relabeled(name)
        return f"fill the field {label!r} of the connection"

    def _relabeled(self, name: str) -> str:
        return str(self.form["ui-field-behaviour"]["relabeling"].get(name, name))


@dataclass(frozen=True)
class CheckedConnection(Generic[ExtraT]):
    """A connection whose parts are all there and known.

    Attributes:
        source: For messages: ``connection <id>``.
        address: Of the service.
        login: Trimmed.
        password: Trimmed; known to Airflow's masker.
        extra: The extra's keys.
    """

    source: str
    address: Address
    login: str
    password: str = field(repr=False)
    extra: ExtraT = field(repr=False)


def get_connection(conn_id: str) -> Connection:
    """Look a connection up.

    Raises:
        ConfigurationError: It does not exist.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        message = "the connection does not exist"
        hint = "create it under Admin > Connections"
        raise ConfigurationError(message, source=f"connection {conn_id}", hint=hint) from error


def check_connection(
    connection: Connection, conn_id: str, kind: ConnectionKind[ExtraT]
) -> CheckedConnection[ExtraT]:
    """Check every part of a connection.

    Raises:
        ConfigurationError: A part is missing, unknown or cannot be meant; names the part, never its value.
    """
    source = f"connection {conn_id}"
    _check_type(connection.conn_type, source, kind)
    parts = {
        name: one_line(getattr(connection, name) or "", source=source, path=name)
        for name in _HOST_PARTS
    }
    for name, value in parts.items():
        if not value and (name != "host" or kind.default_host is None):
            message = f"the {name} is missing"
            raise ConfigurationError(message, source=source, path=name, hint=kind.fill(name))
    mask_secret(parts["password"])
    extra = _read_extra(connection.extra, source, kind)
    address = parse_address(
        parts["host"] or (kind.default_host(extra) if kind.default_host else ""),
        source=source,
        schema=connection.schema,
        port=connection.port,
        conn_type=connection.conn_type,
        allow_plain_http=extra.allow_plain_http,
    )
    return CheckedConnection(source, address, parts["login"], parts["password"], extra)


def read_secret_variable(name: str) -> str | None:
    """Return the trimmed value of an Airflow Variable, made known to the masker; ``None`` when there is none.

    Raises:
        ConfigurationError: There is a line break inside.
    """
    value = one_line(Variable.get(name, default=None) or "", source=f"variable {name}")
    if not value:
        return None
    mask_secret(value)
    return value


def tls_context(ca_file: str | None, source: str) -> ssl.SSLContext | None:
    """Return TLS settings that trust a CA file; ``None`` for the system's.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    if not ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        message = "the file holds no certificate authority that can be read"
        hint = "name a PEM file that every worker can read"
        raise ConfigurationError(message, source=source, path="extra.ca_file", hint=hint) from error


def try_connection(conn_id: str, sign_in: Callable[[], str]) -> tuple[bool, str]:
    """Return what Airflow's Test button shows: whether a connection works, and why not in words.

    Args:
        conn_id: The connection; Airflow tests one under a name of its own making, which says nothing to anybody.
        sign_in: Signs in, reads one list, and says what it found.
    """
    try:
        return True, sign_in()
    except CustomerImportError as error:
        return False, str(error).replace(f"connection {conn_id}", "this connection")


def _check_type(conn_type: str | None, source: str, kind: ConnectionKind[ExtraT]) -> None:
    if (conn_type or "").lower() not in (kind.conn_type, *_FORMER_TYPES):
        message = (
            f"a connection of the type {conn_type!r} does not lead to {kind.form['hook-name']}"
        )
        hint = f"make its type {kind.conn_type!r}"
        raise ConfigurationError(message, source=source, path="conn_type", hint=hint)


def _read_extra(text: str | None, source: str, kind: ConnectionKind[ExtraT]) -> ExtraT:
    """Read the extra; the form stores a field that was left empty as null, which is the same as no key."""
    try:
        raw = json.loads(text or "{}")
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        message = "it is not a JSON object"
        hint = 'write it like {"key": "value"}, or use the fields of the form'
        raise ConfigurationError(message, source=source, path="extra", hint=hint)
    given = {
        key: one_line(value, source=source, path=f"extra.{key}")
        if isinstance(value, str)
        else value
        for key, value in raw.items()
    }
    given = {key: value for key, value in given.items() if value not in (None, "")}
    for key in given:
        if key not in kind.extra.model_fields:
            message = "the key is not known"
            hint = kind.misplaced.get(key) or choose(key, kind.extra.model_fields, "known keys")
            raise ConfigurationError(message, source=source, path=f"extra.{key}", hint=hint)
    try:
        return kind.extra.model_validate(given)
    except ValidationError as error:
        fault = explain(error, kind.extra, shows_values=False)[0]
    # Outside of the handler: pydantic's own text, which repeats the values, does not come along.
    name = str(fault.path[0])
    message, hint = (
        (fault.message, fault.hint) if name in given else ("it is missing", kind.fill(name))
    )
    raise ConfigurationError(message, source=source, path=f"extra.{name}", hint=hint)
