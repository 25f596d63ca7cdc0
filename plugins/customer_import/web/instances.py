"""The configured instances as the pages need them: names, titles, and links into the BSS."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from fastapi import HTTPException, status

from customer_import.config.instances import InstanceConfig, load_each_instance
from customer_import.config.paths import instances_path
from customer_import.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from customer_import.vocabulary import ImportType
    from customer_import.web.rights import Rights


@dataclass(frozen=True)
class Instances:
    """The instances by name, and what is wrong with others or with their file."""

    by_name: dict[str, InstanceConfig]
    error: str | None = None
    rights: Rights | None = None

    def taking(self, import_type: ImportType) -> dict[str, InstanceConfig]:
        """Return the instances that take an import type, as far as the user may read it."""
        return {
            name: item
            for name, item in self.by_name.items()
            if import_type in item.import_types
            and (self.rights is None or self.rights.cover(import_type, name))
        }

    def choose(self, import_type: ImportType, wanted: str | None) -> str | None:
        """Return the instance that is asked for, or the first that takes an import; ``None`` without one.

        What is shown of one instance must not be taken for another's.

        Raises:
            HTTPException: 404, the one that is asked for does not take it, or the user may not read it.
        """
        names = self.taking(import_type)
        if wanted is None:
            return next(iter(names), None)
        if wanted in names:
            return wanted
        if self.error:
            return None  # the page tells what is wrong, perhaps with this one
        detail = "No instance of this name takes the import, or you may not read it."
        raise HTTPException(status.HTTP_404_NOT_FOUND, detail)

    def account_url(self, instance: str | None, account_id: int | None) -> str | None:
        """Return the address of an account's page in the BSS, when the instance says where it is."""
        return self._url(instance, "account_url", account_id=account_id)

    def contact_url(
        self, instance: str | None, account_id: int | None, contact_id: int | None
    ) -> str | None:
        """Return the address of a contact's page in the BSS, when the instance says where it is."""
        return self._url(instance, "contact_url", account_id=account_id, contact_id=contact_id)

    def _url(self, instance: str | None, which: str, **ids: int | None) -> str | None:
        config = self.by_name.get(instance or "")
        url: str | None = getattr(config.bss, which) if config else None
        if not url or None in ids.values() or not url.startswith(("https://", "http://")):
            return None
        for name, value in ids.items():
            url = url.replace(f"{{{name}}}", str(value))
        return url


def read_instances(rights: Rights | None = None) -> Instances:
    """Read the instances file; a broken one must not keep results from being shown.

    Args:
        rights: What the user may read, for lists to choose from; what is wrong with the file is told to who may read
            an import as a whole.
    """
    path = instances_path()
    try:
        changed_at = path.stat().st_mtime_ns
    except OSError:
        changed_at = 0  # the reader says in words what is wrong
    found = _read(path, changed_at)
    if rights is None:
        return found
    return Instances(found.by_name, found.error if rights.everywhere else None, rights)


@lru_cache(maxsize=4)
def _read(path: Path, _changed_at: int) -> Instances:
    try:
        each = load_each_instance(path)
    except ConfigurationError as error:
        return Instances({}, str(error))
    errors = [str(one) for one in each.values() if isinstance(one, ConfigurationError)]
    right = {name: one for name, one in each.items() if not isinstance(one, ConfigurationError)}
    return Instances(right, "; ".join(errors) or None)
