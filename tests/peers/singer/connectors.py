"""A Singer tap over the source and a Singer target over the load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, Tap, Target
from singer_sdk import typing as th
from singer_sdk.sinks import BatchSink

from tests.peers.importer import customer_of, import_customers, is_customer, stand_in
from tests.peers.source import STREAMS, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_INSTANCE = th.Property(
    "instance", th.StringType, required=True, description="Name in instances.yaml"
)


class PartnerCenterStream(Stream):
    """One list of Partner Center."""

    def get_records(self, context: Any) -> Iterable[dict[str, Any]]:  # noqa: ARG002 - as the base class
        return records(self.config["instance"], self.name)


class TapPartnerCenter(Tap):
    """Customers, subscriptions and resellers of an instance's partner."""

    name = "tap-partner-center"
    config_jsonschema: ClassVar = th.PropertiesList(_INSTANCE).to_dict()

    def discover_streams(self) -> Sequence[Stream]:
        streams = []
        for name, described in STREAMS.items():
            stream = PartnerCenterStream(self, name=name, schema=described.schema)
            stream.primary_keys = list(described.keys)
            streams.append(stream)
        return streams


class BssSink(BatchSink):
    """Imports each batch in a run of its own."""

    @property
    def max_size(self) -> int:
        return 1_000

    def process_batch(self, context: dict[str, Any]) -> None:
        defaults = self.config.get("defaults", {})
        # The last record of a customer counts, as in the batch itself.
        customers = {
            tenant.tenant_id: (tenant, customer)
            for record in context["records"]
            for tenant, customer in [
                customer_of(record)
                if is_customer(record)
                else stand_in(self.stream_name, self.key_properties, record, defaults)
            ]
        }
        summary = import_customers(
            self.config["instance"], self.config["database"], list(customers.values())
        )
        self.logger.info("%s: %s", self.stream_name, dict(summary.outcomes))


class TargetBss(Target):
    """Accounts and contacts in an instance's BSS, through ledger and links."""

    name = "target-bss"
    default_sink_class = BssSink
    config_jsonschema: ClassVar = th.PropertiesList(
        _INSTANCE,
        th.Property("database", th.StringType, required=True, secret=True),
        th.Property(
            "defaults",
            th.ObjectType(additional_properties=True),
            description="Path to value: what a customer must have and a foreign record has not",
        ),
    ).to_dict()

    @property
    def max_parallelism(self) -> int:
        """One run at a time: two of one import type would wait for each other's claims."""
        return 1
