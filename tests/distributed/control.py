"""The control API of a sandbox that is another process."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from sandbox import FaultRule
    from sandbox.info import SandboxInfo

_TIMEOUT_S = 60.0
_NAMES_ITS_ACCOUNT = (
    "bss.accounts.patch",
    "bss.sync_options.post",
    "bss.accounts.custom_fields.put",
)


class SandboxControl:
    """Asks a sandbox and changes what it answers."""

    def __init__(self, info: SandboxInfo) -> None:
        self._url = info.control_url
        self._http = requests.Session()
        self._http.trust_env = False

    def accounts(self) -> int:
        """Count the accounts of all BSS organisations."""
        organisations = self._get("state")["organisations"].values()
        return sum(organisation["accounts"] for organisation in organisations)

    def keep_requests(self) -> None:
        """Keep single requests from now on."""
        self._put("requests", {"keeps_entries": True})

    def set_faults(self, *rules: FaultRule) -> None:
        """Put faults in force instead of those that are."""
        self._put(
            "faults", {"rules": [{**asdict(rule), "kind": rule.kind.value} for rule in rules]}
        )

    def check(self) -> dict[str, int]:
        """Return what must not be in the BSS, by organisation and figure; empty when all is right."""
        return {
            f"{owner}.{figure}": count
            for owner, figures in self._get("check")["figures"].items()
            for figure, count in figures.items()
            if count and owner != "total"
        }

    def written_twice(self) -> int:
        """Count the accounts to which the same write was made more than once."""
        writes = Counter(
            (entry["method"], entry["path"])
            for entry in self._get("requests?full=1")["entries"]
            if entry["endpoint"] in _NAMES_ITS_ACCOUNT and 200 <= entry["status"] < 300
        )
        return len({path for (_, path), count in writes.items() if count > 1})

    def _get(self, path: str) -> Any:
        answer = self._http.get(f"{self._url}/{path}", timeout=_TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()

    def _put(self, path: str, body: object) -> None:
        self._http.put(f"{self._url}/{path}", json=body, timeout=_TIMEOUT_S).raise_for_status()
