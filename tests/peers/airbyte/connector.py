"""An Airbyte source over ``tests.peers.source``, which runs in the project's own environment beside it.

The two environments share no package: records come over a pipe, one JSON object a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams import Stream

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator, Mapping

PYTHON = "PEER_PYTHON"
"""Variable with the interpreter that has the library."""


def lines(*arguments: str) -> Iterator[Any]:
    """Run the source and give what it writes.

    Raises:
        RuntimeError: It failed; with the end of what it said.
    """
    command = [os.environ[PYTHON], "-W", "ignore", "-m", "tests.peers.source", *arguments]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
        if process.wait():
            said.seek(0)
            message = f"the source ended with {process.returncode}: {said.read().decode()[-500:]}"
            raise RuntimeError(message)


class PartnerCenterStream(Stream):
    """One list of Partner Center."""

    def __init__(self, instance: str, name: str, keys: list[str], schema: dict[str, Any]) -> None:
        self._instance, self._name, self._keys, self._schema = instance, name, keys, schema

    @property
    def name(self) -> str:
        return self._name

    @property
    def primary_key(self) -> list[str]:
        return self._keys

    def get_json_schema(self) -> Mapping[str, Any]:
        return self._schema

    def read_records(self, *_: Any, **__: Any) -> Iterable[Mapping[str, Any]]:
        yield from lines("read", self._instance, self._name)


class SourcePartnerCenter(AbstractSource):
    """Customers, subscriptions and resellers of an instance's partner."""

    def spec(self, logger: logging.Logger) -> ConnectorSpecification:  # noqa: ARG002 - as the base class
        return ConnectorSpecification(
            documentationUrl="https://example.com/docs/extend",
            connectionSpecification={
                "$schema": "http://json-schema.org/draft-07/schema#",
                "title": "Partner Center",
                "type": "object",
                "required": ["instance"],
                "properties": {
                    "instance": {
                        "type": "string",
                        "title": "Instance",
                        "description": "Name in instances.yaml",
                    }
                },
            },
        )

    def check_connection(
        self,
        logger: logging.Logger,  # noqa: ARG002 - as the base class
        config: Mapping[str, Any],
    ) -> tuple[bool, Any]:
        is_good, message = next(lines("check", config["instance"]))
        return is_good, message

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        return [
            PartnerCenterStream(config["instance"], name, described["keys"], described["schema"])
            for name, described in next(lines("describe")).items()
        ]
