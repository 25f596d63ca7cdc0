"""Keeps what the pages, the import's API and Airflow's own API answer, a file per answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests

from sandbox.demo.settings import DAG_INSTANCES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.demo.airflow_api import AirflowApi

_IMPORT = "customer-import"
_AIRFLOW = (
    "connections?limit=100",
    "variables?limit=100",
    "eventLogs?limit=1000",
    "importErrors",
    "assets/events",
    "dags/~/dagRuns?limit=100",
    "dags/~/dagRuns/~/taskInstances?limit=1000",
    "dags/~/dagRuns/~/taskInstances/~/xcomEntries?limit=1000",
)


def keep_pages(api: AirflowApi, folder: Path) -> None:
    """Ask for every page of every run and keep the answers.

    Args:
        api: Of the running Airflow.
        folder: Gets a folder per kind: ``html``, ``csv``, ``json``, ``airflow``; and ``customer``, the one view that
            shows personal values on purpose.
    """
    reader = _Reader(api, folder)
    for address in _AIRFLOW:
        reader.keep("airflow", f"api/v2/{address}")
    for run in reader.keep("json", f"{_IMPORT}/api/runs?limit=100").json()["items"]:
        for kind, address in _pages_of_run(run):
            reader.keep(kind, address)
        results = reader.keep("json", f"{_IMPORT}/api/runs/{run['key']}/results?limit=1000").json()
        for result in results["items"][:3]:
            place = urlencode({"tenant_id": result["tenant_id"], **_place(run)})
            reader.keep("customer", f"{_IMPORT}/customer?{place}")
            own = urlencode({"tenant_id": result["tenant_id"], "instance": run["instance"]})
            reader.keep("customer", f"{_IMPORT}/tenant?{own}")
            reader.keep("html", f"{_IMPORT}/search?q={result['tenant_id']}")
    for dag_id, instance in DAG_INSTANCES.items():
        for kind, address in _pages_of_tenants(dag_id, instance):
            reader.keep(kind, address)


class _Reader:
    """Reads as a logged-in user."""

    def __init__(self, api: AirflowApi, folder: Path) -> None:
        self._url, self._folder, self._number = api.url, folder, 0
        self._http = requests.Session()
        self._http.trust_env = False
        body = {"username": api.username, "password": api.password}
        token = self._http.post(f"{api.url}/auth/token", json=body, timeout=60).json()
        self._http.headers["Authorization"] = f"Bearer {token['access_token']}"

    def keep(self, kind: str, address: str) -> requests.Response:
        """Ask for a page; keep its text, refusals included."""
        answer = self._http.get(f"{self._url}/{address}", timeout=60)
        self._number += 1
        path = self._folder / kind / f"{self._number:03d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{address}\n{answer.status_code}\n{answer.text}", encoding="utf-8")
        return answer


def _place(run: dict[str, Any]) -> dict[str, str]:
    return {"dag_id": f"import_{run['import_type']}_customers", "run_id": run["run_id"]}


def _pages_of_run(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    place = urlencode(_place(run))
    for page in ("", "live", "rows", "validation"):
        yield "html", f"{_IMPORT}/{page}?{place}"
    yield "csv", f"{_IMPORT}/results.csv?{place}"
    for page in ("", "/retry"):
        yield "json", f"{_IMPORT}/api/runs/{run['key']}{page}"


def _pages_of_tenants(dag_id: str, instance: str) -> Iterator[tuple[str, str]]:
    for page in ("tenants", "tenants-live", "queue"):
        yield "html", f"{_IMPORT}/{page}?{urlencode({'dag_id': dag_id, 'instance': instance})}"
    import_type = dag_id.removeprefix("import_").removesuffix("_customers")
    of = urlencode({"instance": instance, "import_type": import_type})
    for page in ("tenants", "tenants/selectable"):
        yield "json", f"{_IMPORT}/api/{page}?{of}"
