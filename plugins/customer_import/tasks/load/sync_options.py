"""Matches mapped sync options with the aliases that an organisation has (docs/api/bss.md sections 1.5, 2.6).

An option that the organisation does not have is left out and said; it is never an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from customer_import.bss.patch import kept_of
from customer_import.text import trim
from customer_import.vocabulary import FieldFate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from customer_import.bss.models import SyncOption
    from customer_import.config.mapping import SyncOptionMapping


@dataclass(frozen=True)
class OptionChanges:
    """What has to be written.

    Attributes:
        values: Alias to value, of the options that differ; an empty one clears (docs/limits.md).
        before: Option name to the BSS's value, of the same options.
        absent: Names of mapped options that the organisation does not have.
        cleared: Names of the options that are cleared.
        left_alone: Names of the options that differ and stay, with the reason.
    """

    values: Mapping[str, str] = field(repr=False)
    before: Mapping[str, str | None] = field(repr=False)
    absent: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    left_alone: Mapping[str, FieldFate] = field(default_factory=dict)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the options that Partner Center has no value for and whose BSS value stays."""
        return tuple(sorted(kept_of(self.left_alone)))


def option_changes(
    wanted: Mapping[str, str | None],
    options: Sequence[SyncOption],
    mappings: Mapping[str, SyncOptionMapping],
) -> OptionChanges:
    """Return the options that differ from what is wanted.

    Args:
        wanted: Option name to value; ``None`` or blank where Partner Center has none.
        options: The account's options as the BSS shows them.
        mappings: By option name; their ``on_update`` decides about options that have a value, their ``on_empty``
            about those that Partner Center has no value for.
    """
    by_name = {trim(option.alias).casefold(): option for option in options}
    by_name |= {trim(option.name).casefold(): option for option in options if option.name}
    values: dict[str, str] = {}
    before: dict[str, str | None] = {}
    absent: list[str] = []
    cleared: list[str] = []
    left_alone: dict[str, FieldFate] = {}
    for name, value in wanted.items():
        option = by_name.get(trim(name).casefold())
        rule = mappings[name].on_update if name in mappings else "overwrite"
        if option is None:
            if value:
                absent.append(name)
        elif value:
            if option.value == value:
                continue
            if option.value and rule in {"keep", "fill"}:  # an empty one was not written yet
                left_alone[name] = FieldFate(rule)
            else:
                values[option.alias] = value
                before[name] = option.value
        elif option.value:
            if name in mappings and mappings[name].on_empty == "clear":
                values[option.alias] = ""
                before[name] = option.value
                cleared.append(name)
            elif rule != "keep":
                left_alone[name] = FieldFate.NO_VALUE
    return OptionChanges(values, before, tuple(absent), tuple(cleared), left_alone)
