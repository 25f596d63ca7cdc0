"""Which of the customers a run was asked for: its parameters ``tenants``, ``exclude_tenants`` and ``reseller_mpn_ids``.

It says what the run looks at, never what a tenant is: that is the classification's, and only that is remembered.

A name that nobody has is a mistake that must not be found out afterwards: a customer that was meant to stay
out would be imported, one that was asked for would be missing. So it ends the run right after the list is
read, before anything is written to the BSS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.errors import ConfigurationError
from customer_import.hints import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from customer_import.partner_center.models import ListedTenant, Reseller
    from customer_import.runs.parameters import RunParams
    from customer_import.tasks.extract.classification import Classification
    from customer_import.vocabulary import ImportType

NOT_SELECTED = "The run was started for other resellers."
_NAMED = 5
"""So many mistakes are named, each with what it may have meant."""


class Selection:
    """The customers that a run was asked for.

    Args:
        params: Those of the run.
        remembered: Name to the tenant id that it meant in an earlier attempt (``matched``). A domain can move to
            another tenant in between, and its tenant can leave the list; a run goes on with the tenant that it began
            with.
        previewed: Tenants of the preview that the run was started from.
    """

    def __init__(
        self,
        params: RunParams,
        remembered: Mapping[str, str] | None = None,
        previewed: frozenset[str] | None = None,
    ) -> None:
        self._previewed = previewed
        self._wanted = frozenset(params.tenants)
        self._excluded = frozenset(params.exclude_tenants)
        self._remembered = dict(remembered or {})
        self._known: set[str] = set()
        self.matched = self._remembered.copy()

    @property
    def is_empty(self) -> bool:
        """Whether the run was asked for everybody."""
        return not self._wanted and not self._excluded

    def takes(self, tenant: ListedTenant) -> bool:
        """Tell whether the run is to look at a listed customer, and note the names that it has."""
        if self._previewed is not None:
            return tenant.tenant_id in self._previewed
        if self.is_empty:
            return True
        names = {tenant.tenant_id, tenant.domain or tenant.tenant_id}
        self._known |= names
        meant = {
            name
            for name in (self._wanted | self._excluded) & (names | self._remembered.keys())
            if self._remembered.get(name, tenant.tenant_id) == tenant.tenant_id
        }
        self.matched |= dict.fromkeys(meant, tenant.tenant_id)
        return not meant & self._excluded and (not self._wanted or bool(meant & self._wanted))

    def unmatched_exclusions(self) -> list[str]:
        """Return the names of ``exclude_tenants`` that no listed customer has, sorted."""
        return sorted(self._excluded - self.matched.keys())

    def check(self, former: Collection[str] = ()) -> None:
        """Refuse names that nobody has; all pages of the list must have been looked at.

        Args:
            former: Names of ``exclude_tenants`` that customers of earlier runs had: to leave out somebody who left is
                no mistake.

        Raises:
            ConfigurationError: Names the parameter, the names, and for each the most similar one that is listed.
        """
        for parameter, names in (
            ("tenants", self._wanted),
            ("exclude_tenants", self._excluded.difference(former)),
        ):
            check_selected(
                parameter,
                names - self.matched.keys(),
                self._known,
                nobody="not found: no customer of this partner has the tenant id or primary domain",
            )


class ResellerSelection:
    """The resellers whose customers a run was asked for.

    Args:
        mpn_ids: As the run names them; empty means all resellers. One id of a reseller means all that it has.
        resellers: The partner's indirect resellers.
    """

    def __init__(self, mpn_ids: Iterable[str] = (), resellers: Sequence[Reseller] = ()) -> None:
        named = frozenset(mpn_ids)
        meant = {each.tenant_id for each in resellers if each.mpn_id in named}
        self.mpn_ids = named | {
            each.mpn_id for each in resellers if each.mpn_id and each.tenant_id in meant
        }

    def takes(self, found: Classification) -> bool:
        """Tell whether the run is for a tenant; it is also for one of which nobody can tell whose it is."""
        return not (self.mpn_ids and found.found_under) or any(
            mpn_id in self.mpn_ids for mpn_id in found.found_under
        )


def without_resellers(import_type: ImportType) -> ConfigurationError:
    """Return the error of a run that was asked for resellers, of whom its import knows none."""
    message = f"only the indirect import has resellers, this is {import_type}; nothing was written to the BSS"
    hint = "take the MPN ids out, or start the indirect import"
    return ConfigurationError(message, source="run parameters", path="reseller_mpn_ids", hint=hint)


def check_selected(
    parameter: str, unknown: Collection[str], known: Iterable[str], *, nobody: str, told: str = ""
) -> None:
    """Refuse names of a parameter that nobody has.

    Args:
        parameter: Its name.
        unknown: The names that nobody has.
        known: Names that somebody has.
        nobody: What is wrong, before the names.
        told: What else is known of the names, as a sentence.

    Raises:
        ConfigurationError: There is such a name.
    """
    if not unknown:
        return
    named = sorted(unknown)[:_NAMED]
    more = f" and {len(unknown) - len(named)} more" if len(unknown) > len(named) else ""
    known = list(known)
    similar = [close for name in named if (close := nearest(name, known))]
    meant = f"did you mean {', '.join(dict.fromkeys(similar))}? " if similar else ""
    told = f"{told} " if told else ""
    message = f"{nobody} {', '.join(named)}{more}; nothing was written to the BSS"
    raise ConfigurationError(
        message,
        source="run parameters",
        path=parameter,
        hint=f"{meant}{told}correct the list or take the names out, and start the import again",
    )
