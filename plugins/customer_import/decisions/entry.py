"""A decision as a person enters it, on a page or in a file, checked once for both. Pure."""

# ruff: noqa: TC003 - pydantic reads the annotations at run time
from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from customer_import.config.files import FrozenModel
from customer_import.config.known_texts import check_mpn_id
from customer_import.config.messages import WrongValueError
from customer_import.decisions.rules import Proposal
from customer_import.text import clean, has_address, trim
from customer_import.vocabulary import DecisionKind, ImportType

MOST_ACCOUNT = 2**63 - 1
MOST_REASON = 500


def _text(value: str | None) -> str | None:
    return (trim(clean(value)) or None) if value is not None else None


def _reason(value: str | None) -> str | None:
    text = _text(value)
    if text and len(text) > MOST_REASON:
        message = f"the reason is longer than {MOST_REASON} characters"
        raise WrongValueError(message, "shorten it")
    if text and has_address(text):
        message = "the reason holds an e-mail address, and it is shown in logs"
        raise WrongValueError(message, "name a role or a ticket")
    return text


Reason = Annotated[str | None, AfterValidator(_reason)]


def _mpn_id(value: str | None) -> str | None:
    text = _text(value)
    return check_mpn_id(text) if text else text


class Entry(FrozenModel):
    """What is decided, whomever it is about.

    Attributes:
        decision: What is settled.
        account: Of ``link``: the BSS account.
        mpn_id: Of ``reseller``: whose customer it is.
        reseller_name: Of ``reseller``, where Partner Center does not list it.
        import_type: Of ``empty``: which import.
        reason: Why; ``exclude`` needs it.
        until: The last day on which it stands, UTC.
    """

    decision: DecisionKind
    account: Annotated[int, Field(ge=1, le=MOST_ACCOUNT)] | None = None
    mpn_id: Annotated[str | None, AfterValidator(_mpn_id)] = None
    reseller_name: Annotated[str | None, AfterValidator(_text), Field(max_length=200)] = None
    import_type: ImportType | None = None
    reason: Reason = None
    until: date | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for key, kind in _OF_KIND.items():
            is_given = getattr(self, key) is not None
            if is_given and kind is not self.decision:
                message = f"{key} does not belong to the decision {self.decision}"
                raise WrongValueError(message, f"remove it, or decide {kind}", path=(key,))
        if (needed := _NEEDED.get(self.decision)) and getattr(self, needed) is None:
            message = f"the decision {self.decision} needs the key {needed!r}"
            raise WrongValueError(message, "add the key", path=(needed,))
        return self

    def proposal(self, instance: str, tenant_id: str) -> Proposal:
        """Return it for a tenant; ``empty`` is about the import, whichever tenant is named."""
        is_empty = self.decision is DecisionKind.EMPTY
        return Proposal(
            instance=instance,
            subject=str(self.import_type) if is_empty else tenant_id,
            kind=self.decision,
            value=self.mpn_id if self.account is None else str(self.account),
            reseller_name=self.reseller_name,
            reason=self.reason,
            until=self.until,
        )


_OF_KIND = {
    "account": DecisionKind.LINK,
    "mpn_id": DecisionKind.RESELLER,
    "reseller_name": DecisionKind.RESELLER,
    "import_type": DecisionKind.EMPTY,
}
"""Keys that belong to one kind."""
_NEEDED = {
    DecisionKind.EXCLUDE: "reason",
    DecisionKind.LINK: "account",
    DecisionKind.RESELLER: "mpn_id",
    DecisionKind.EMPTY: "import_type",
}
