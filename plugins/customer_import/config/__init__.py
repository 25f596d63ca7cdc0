"""Instances and mapping files as frozen models, read from ``include/``."""

from __future__ import annotations

from customer_import.config.instances import InstanceConfig, load_instance, load_instances
from customer_import.config.mapping import (
    FieldMapping,
    Mappings,
    OrderingProfile,
    SyncOptionMapping,
    load_mappings,
)

__all__ = [
    "FieldMapping",
    "InstanceConfig",
    "Mappings",
    "OrderingProfile",
    "SyncOptionMapping",
    "load_instance",
    "load_instances",
    "load_mappings",
]
