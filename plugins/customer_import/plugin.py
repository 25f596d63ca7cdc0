"""The Airflow plugin: where the pages are in Airflow's UI.

Every task process executes this module, so it holds literals only; the web application is imported when the API server
asks. An installed package registers it by the entry point ``airflow.plugins``; copied folders by
``plugins/customer_import_plugin.py``.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from customer_import import PAGES_PREFIX, __version__


class CustomerImportPlugin(AirflowPlugin):
    """The pages in the navigation, the overview first; and Import Results on DAGs and on their runs."""

    name = "customer_import"
    # No leading slash: the page would lie outside a sub-path.
    external_views = [  # noqa: RUF012 - Airflow reads a plain list
        {
            "name": "Import Overview",
            "href": f"{PAGES_PREFIX}/overview",
            "destination": "nav",
            "category": "browse",
            "url_route": "import-overview",
        },
        {
            "name": "Import Results",
            "href": f"{PAGES_PREFIX}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "import-results",
        },
        {
            "name": "Microsoft Tenants",
            "href": f"{PAGES_PREFIX}/tenants",
            "destination": "nav",
            "category": "browse",
            "url_route": "microsoft-tenants",
        },
        {
            "name": "Import Drift",
            "href": f"{PAGES_PREFIX}/drift",
            "destination": "nav",
            "category": "browse",
            "url_route": "import-drift",
        },
        {
            "name": "Import Results",
            "href": f"{PAGES_PREFIX}/?dag_id={{DAG_ID}}",
            "destination": "dag",
            "url_route": "import-results-dag",
        },
        {
            "name": "Import Results",
            "href": f"{PAGES_PREFIX}/?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "import-results-run",
        },
    ]

    def __init__(self) -> None:
        _tell_of_a_copy(Path(conf.get_mandatory_value("core", "plugins_folder")).resolve())

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the application that serves the pages."""
        from customer_import.web.app import create_app  # noqa: PLC0415 - heavy

        return [{"app": create_app(), "url_prefix": f"/{PAGES_PREFIX}", "name": "Customer import"}]


def _tell_of_a_copy(plugins: Path) -> None:
    """Say it when other files of this package lie in Airflow's plugins folder: people think that those are used."""
    used = Path(__file__).resolve().parents[1]
    copies = [plugins / name for name in ("customer_import", "customer_import_plugin.py")]
    unused = [str(path) for path in copies if path.exists()]
    if used != plugins and unused:
        logging.getLogger(__name__).warning(
            "customer_import %s is used from %s, not the copy in Airflow's plugins folder. Hint: delete %s",
            __version__,
            used,
            " and ".join(unused),
        )
