"""Sync option endpoints, and the call that an importer must never make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.bss import errors
from sandbox.bss.accounts import find
from sandbox.bss.calls import JSON, json_body, number
from sandbox.wire import json_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.bss.calls import Gate
    from sandbox.bss.organisation import Organisation
    from sandbox.bss.read_model import ReadModel
    from sandbox.bss.setup import ExternalSystem

_ERROR = "AccountNotUpdatedError"


class SyncOptions:
    """The endpoints under ``/api/accounts/{id}/syncoptions`` and ``.../synchronizations``."""

    def __init__(self, gate: Gate, readers: Mapping[str, ReadModel]) -> None:
        """Take what lets calls in and what renders answers, by organisation."""
        self._gate = gate
        self._readers = readers

    def routes(self) -> list[web.RouteDef]:
        """The endpoints, named."""
        options = "/api/accounts/{id}/syncoptions/{system}"
        synchronize = "/api/accounts/{id}/synchronizations/{system}"
        return [
            web.get(options, self.get, name="sync_options.get"),
            web.post(options, self.post, name="sync_options.post"),
            web.post(synchronize, self.synchronize, name="synchronizations.post"),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """Answer the options of an account for a system."""
        organisation = self._gate.enter(request)
        account, system = find(organisation, request), _system(organisation, request)
        reader = self._readers[organisation.setup.key]
        return json_response({"systems": [reader.system(system, account.id)]})

    async def post(self, request: web.Request) -> web.Response:
        """Set the options named and answer all of the system."""
        organisation = self._gate.enter(request)
        account, system = find(organisation, request), _system(organisation, request)
        body = await json_body(request, JSON, _ERROR)
        organisation.set_sync_options(account.id, system.id, _values(body, system))
        reader = self._readers[organisation.setup.key]
        return json_response(reader.system(system, account.id), 201)

    async def synchronize(self, request: web.Request) -> web.Response:
        """Count a call that would provision the tenant again."""
        organisation = self._gate.enter(request)
        find(organisation, request)
        _system(organisation, request)
        organisation.count_synchronization()
        return json_response({"success": True, "syncStatus": "Synchronized", "error": None})


def _system(organisation: Organisation, request: web.Request) -> ExternalSystem:
    wanted = number(request, "system", "ExternalSystem")
    for system in organisation.setup.systems:
        if system.id == wanted:
            return system
    raise errors.not_found(entity="ExternalSystem", value=wanted)


def _values(body: object, system: ExternalSystem) -> dict[str, str]:
    if not isinstance(body, list):
        raise errors.invalid(_ERROR, "options", "Options come as a list.")
    aliases = {option.alias for option in system.options}
    values = {}
    for item in body:
        if not isinstance(item, dict) or set(item) != {"alias", "value"}:
            raise errors.invalid(_ERROR, "options", "An option has an alias and a value.")
        alias, value = item["alias"], item["value"]
        is_known = isinstance(alias, str) and alias in aliases
        if not is_known or not (value is None or isinstance(value, str)):
            raise errors.invalid(_ERROR, "alias", "The system has no such option.")
        values[alias] = value or ""
    return values
