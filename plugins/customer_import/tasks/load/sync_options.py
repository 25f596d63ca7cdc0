"""Matches mapped sync options with the aliases that an organisation has (docs/api/bss.md sections 1.5, 2.6).

An option that the organisation does not have is left out and said; it is never an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from customer_import.text import trim

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from customer_import.bss.models import SyncOption
    from customer_import.config.mapping import SyncOptionMapping


@dataclass(frozen=True)
class OptionChanges:
    """What has to be written.

    Attributes:
        values: Alias to value, of the options that differ.
        before: Option name to the BSS's value, of the same options.
        absent: Names of mapped options that the organisation does not have.
    """

    values: Mapping[str, str] = field(repr=False)
    before: Mapping[str, str | None] = field(repr=False)
    absent: tuple[str, ...]


def option_changes(
    wanted: Mapping[str, str],
    options: Sequence[SyncOption],
    mappings: Mapping[str, SyncOptionMapping],
) -> OptionChanges:
    """Return the options that differ from what is wanted.

    Args:
        wanted: Option name to value; blank values are left out.
        options: The account's options as the BSS shows them.
        mappings: By option name; their ``on_update`` decides about options that have a value.
    """
    by_name = {trim(option.alias).casefold(): option for option in options}
    by_name |= {trim(option.name).casefold(): option for option in options if option.name}
    values: dict[str, str] = {}
    before: dict[str, str | None] = {}
    absent: list[str] = []
    for name, value in wanted.items():
        option = by_name.get(trim(name).casefold())
        if not value:
            continue
        if option is None:
            absent.append(name)
            continue
        rule = mappings[name].on_update if name in mappings else "overwrite"
        is_settled = option.value == value or (option.value and rule in {"keep", "fill"})
        if not is_settled:
            values[option.alias] = value
            before[name] = option.value
    return OptionChanges(values, before, tuple(absent))
