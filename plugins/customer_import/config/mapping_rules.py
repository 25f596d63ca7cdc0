"""What the fields of a mapping file must be together, so that none of them is silently left out of what is sent.

Each check raises ``WrongValueError`` with the way to the wrong value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from customer_import.config.messages import WrongValueError
from customer_import.config.targets import (
    ADDRESS_PREFIX,
    COUNTRY_TARGET,
    ID_TARGETS,
    STATE_TARGET,
)
from customer_import.hints import choose
from customer_import.text import trim
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from customer_import.config.mapping import FieldMapping

ID_SOURCES: Final = frozenset(
    {"reseller.bssAccountId", "run.responsibleUserId", "run.permissionRuleId"}
)
"""Sources that hold an id of the BSS organisation."""
LOOKUP_TARGETS: Final = {"country_id": COUNTRY_TARGET, "state_id": STATE_TARGET}
"""Transforms that look an id up, and the field that takes it."""


def check_targets(
    fields: Mapping[str, FieldMapping], known: frozenset[str], needed: tuple[str, ...]
) -> None:
    """Check that every target exists, and that every import writes those that the BSS needs."""
    for target in fields:
        if target not in known:
            message = f"the target {target!r} does not exist"
            hint = choose(target, known, otherwise="known targets")
            raise WrongValueError(message, hint, path=("fields", target))
    for target in needed:
        if target not in fields:
            message = f"the target {target!r} is not mapped; the BSS needs it"
            raise WrongValueError(message, "add the target with its source", path=("fields",))
        if missing := _names(set(ImportType) - set(fields[target].import_types)):
            message = f"the BSS needs {target!r}, which is not written by: {missing}"
            hint = "take import_types out, so that all imports write it"
            raise WrongValueError(message, hint, path=("fields", target, "import_types"))


def check_ids(fields: Mapping[str, FieldMapping]) -> None:
    """Check that ids go where ids are due and nowhere else: anything else would be sent to nobody, or as a number."""
    lookup_of = {target: lookup for lookup, target in LOOKUP_TARGETS.items()}
    for target, field in fields.items():
        path = ("fields", target, "transforms")
        own = lookup_of.get(target)
        if own and own not in field.transforms:
            message = f"{target!r} holds an id, and its source holds text"
            raise WrongValueError(message, f"add {own} to its transforms", path=path)
        for lookup, its_target in LOOKUP_TARGETS.items():
            if lookup in field.transforms and lookup != own:
                message = f"the transform {lookup} gives an id that {target!r} does not hold"
                raise WrongValueError(message, f"it belongs to {its_target} alone", path=path)
        texts = [source for source in field.sources if source not in ID_SOURCES]
        if texts and own is None and target in ID_TARGETS:
            message = f"{target!r} holds an id, and the source {texts[0]!r} does not"
            hint = f"choose one of: {', '.join(sorted(ID_SOURCES))}"
            raise WrongValueError(message, hint, path=("fields", target))


def check_address(fields: Mapping[str, FieldMapping]) -> None:
    """Check that an import which writes a part of the address writes its country: the BSS takes no address without."""
    country = fields.get(COUNTRY_TARGET)
    with_country = set(country.import_types) if country else set()
    for target, field in fields.items():
        without = set(field.import_types) - with_country
        if target.startswith(ADDRESS_PREFIX) and without:
            message = (
                f"{target!r} would never be sent by the imports {_names(without)}: they do not write "
                f"{COUNTRY_TARGET!r}, and the BSS takes no address without a country"
            )
            hint = f"map {COUNTRY_TARGET} for the same imports"
            raise WrongValueError(message, hint, path=("fields", target))


def check_option_names(names: Iterable[str]) -> None:
    """Check that no sync option is named twice; the BSS's are found by name, letter case ignored."""
    seen: dict[str, str] = {}
    for name in names:
        first = seen.setdefault(trim(name).casefold(), name)
        if first != name:
            message = f"the sync option is {first!r} too; letter case does not tell them apart"
            raise WrongValueError(message, "keep one of them", path=("fields", name))


def _names(import_types: set[ImportType]) -> str:
    return ", ".join(each.value for each in ImportType if each in import_types)
