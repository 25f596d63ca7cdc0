"""Sets of data as OpenLineage names them, carried by Airflow's assets.

Airflow collects assets from tasks, and its OpenLineage provider asks the provider of an asset's scheme what it is to
OpenLineage. Both are told of these functions by ``customer_import.provider``. Nothing here needs OpenLineage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from airflow.sdk import Asset

SCHEME: Final = "customer-import-data"


class DataSet(NamedTuple):
    """A set of data that a task reads or writes.

    Attributes:
        namespace: Whose it is: ``postgres://host:port``, or the base URL of an API.
        name: ``database.schema.table``, or a path of the API.
    """

    namespace: str
    name: str

    @property
    def uri(self) -> str:
        """The URI of its asset, for Airflow to tell it from others."""
        return f"{SCHEME}://{quote(self.namespace, safe='')}/{quote(self.name, safe='')}"


def keep_uri(parts: SplitResult) -> SplitResult:
    """Return an asset's URI as it is; Airflow asks for this of each scheme."""
    return parts


def as_openlineage(asset: Asset, lineage_context: object) -> Any:  # noqa: ANN401, ARG001 - OpenLineage's type, Airflow's call
    """Return the OpenLineage dataset that an asset of our scheme stands for."""
    from airflow.providers.common.compat.openlineage.facet import Dataset  # noqa: PLC0415

    return Dataset(**{name: str(asset.extra[name]) for name in DataSet._fields})
