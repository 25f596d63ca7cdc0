"""What Airflow asks of a provider package: who it is, which connection types it brings, what its assets are.

Airflow reads this through the entry point ``apache_airflow_provider`` in most of its processes, so nothing heavy is
imported. The pages are not named here; the entry point ``airflow.plugins`` registers them (``customer_import.plugin``).

Why: docs/decisions/0008-provider-package.md.
"""

from __future__ import annotations

from typing import Any

from customer_import import __version__
from customer_import.connection_types import CONNECTION_TYPES
from customer_import.lineage import SCHEME


def get_provider_info() -> dict[str, Any]:
    """Return the provider's information in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "customer-import",
        "name": "Customer import",
        "description": "Brings Microsoft Partner Center customers into interworks.cloud BSS.",
        "versions": [__version__],
        "hooks": [
            {
                "integration-name": "Microsoft Partner Center",
                "python-modules": ["customer_import.partner_center.hook"],
            },
            {
                "integration-name": "interworks.cloud BSS",
                "python-modules": ["customer_import.bss.hook"],
            },
        ],
        "connection-types": CONNECTION_TYPES,
        "asset-uris": [
            {
                "schemes": [SCHEME],
                "handler": "customer_import.lineage.keep_uri",
                "to_openlineage_converter": "customer_import.lineage.as_openlineage",
            }
        ],
    }
