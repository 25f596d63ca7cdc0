"""What each reason code means, and what a person does about it: for the pages, the logs and docs/reasons.md.

This module imports nothing heavy.
"""

from __future__ import annotations

from typing import NamedTuple

from customer_import.vocabulary import Outcome, ReasonCode


class ReasonMeaning(NamedTuple):
    """What a reason code means.

    Attributes:
        title: Its name.
        outcomes: What becomes of customers with it.
        meaning: When it is given.
        to_do: What a person does about it.
        mend: The same for a log, in a few words; ``None`` when nobody has to do anything.
    """

    title: str
    outcomes: tuple[Outcome, ...]
    meaning: str
    to_do: str
    mend: str | None = None


_NOTHING = "Nothing."
_QUEUE = "decide in the matching queue which account the customer is, or that a new one is created"
_IN_QUEUE = (
    "Decide in the matching queue which account the customer is, that a new one is created, or that it is excluded. "
    "Then import it again."
)
_AGAIN = "start the import again; if it repeats, look at the customer in Partner Center"

REASONS: dict[ReasonCode, ReasonMeaning] = {
    ReasonCode.VALIDATION: ReasonMeaning(
        "Data breaks a rule",
        (Outcome.REJECTED,),
        "A rule that counts as critical is broken: no name, no country, no contact name, or an e-mail address that the "
        "BSS does not take. The reason names field and rule, never the value.",
        "Correct the data in Partner Center, then import the customer again.",
        "correct the data in Partner Center; each reason says what is wrong",
    ),
    ReasonCode.NO_BILLING_PROFILE: ReasonMeaning(
        "No billing profile",
        (Outcome.REJECTED,),
        "Partner Center has no billing profile of the customer: there is no address and no contact to import.",
        "Fill in the customer's billing information in Partner Center, then import it again.",
        "fill in the billing information in Partner Center",
    ),
    ReasonCode.BSS_REFUSED: ReasonMeaning(
        "The BSS refused the data",
        (Outcome.REJECTED,),
        "The data broke none of the import's rules, but the BSS does not take it. The reason says what it answered.",
        "Correct the value in Partner Center, or the mapping where it is wrong; then import the customer again.",
        "correct what the BSS refuses; each reason says what",
    ),
    ReasonCode.SAME_NAME: ReasonMeaning(
        "An account of the same name",
        (Outcome.AMBIGUOUS,),
        "A BSS account without a tenant id has the customer's name. It may be this customer's, entered by hand; a name "
        "alone decides nothing, so nothing was written.",
        _IN_QUEUE,
        _QUEUE,
    ),
    ReasonCode.LOOKALIKE: ReasonMeaning(
        "An account that looks like it",
        (Outcome.AMBIGUOUS,),
        "A BSS account without a tenant id has much in common with the customer: the name but for its legal form, the "
        "domain, or address and e-mail domain. Nothing was written.",
        _IN_QUEUE,
        _QUEUE,
    ),
    ReasonCode.IN_QUEUE: ReasonMeaning(
        "Waits for a person",
        (Outcome.SKIPPED,),
        "The customer is new, and its instance creates nobody before a person decides (auto_create: false).",
        _IN_QUEUE,
        _QUEUE,
    ),
    ReasonCode.SEVERAL_ACCOUNTS: ReasonMeaning(
        "Several accounts with its tenant id",
        (Outcome.AMBIGUOUS,),
        "More than one BSS account carries the customer's tenant id. Nothing was written.",
        "Remove the tenant id from all accounts but the right one in the BSS, then import the customer again.",
        "leave the tenant id at one account only",
    ),
    ReasonCode.OTHER_MARKER: ReasonMeaning(
        "The account carries another tenant id",
        (Outcome.AMBIGUOUS,),
        "The linked BSS account carries another tenant id than the customer's, or none while another account carries "
        "it or while nothing of the account is the customer's. Nothing was written.",
        "Enter the right tenant id at the account that is the customer's, or decide which account it is; then import "
        "it again.",
        "enter the right tenant id at the linked account in the BSS; each reason says which",
    ),
    ReasonCode.OTHER_LINK: ReasonMeaning(
        "The account is another customer's",
        (Outcome.AMBIGUOUS,),
        "The BSS account that carries the customer's tenant id is linked to another tenant. Nothing was written.",
        "Find out whose account it is, correct the tenant ids of both accounts or delete the wrong link, and import "
        "the customer again.",
        "correct the tenant ids of both accounts, or delete the wrong link; each reason says which",
    ),
    ReasonCode.DECISION_CONTRADICTED: ReasonMeaning(
        "A decision is contradicted",
        (Outcome.AMBIGUOUS,),
        "A person decided something about the customer that what the BSS holds excludes, such as a link to an account "
        "that is gone. Nothing was written.",
        "Revoke the decision, or correct the BSS; then import the customer again.",
        "revoke the decision, or correct the BSS; each reason says what contradicts it",
    ),
    ReasonCode.SEVERAL_RESELLERS: ReasonMeaning(
        "Several resellers",
        (Outcome.AMBIGUOUS,),
        "The customer's subscriptions carry the MPN IDs of two or more resellers.",
        "Settle which reseller the customer belongs to, and decide so under Microsoft Tenants; then import it again.",
        "settle which reseller the customer belongs to",
    ),
    ReasonCode.UNKNOWN_RESELLER: ReasonMeaning(
        "Unknown reseller",
        (Outcome.SKIPPED,),
        "The customer's subscriptions carry the MPN ID of none of this partner's resellers. The reason says whether "
        "Microsoft knows the id.",
        "Correct the partner of record in Partner Center, or decide whose customer it is under Microsoft Tenants; then "
        "import it again.",
        "see which reseller the MPN ID belongs to, and whether it is still this partner's",
    ),
    ReasonCode.NOT_A_RESELLER_RELATIONSHIP: ReasonMeaning(
        "No reseller relationship",
        (Outcome.SKIPPED,),
        "Partner Center says of the relationship with the customer that it is another than that of a reseller.",
        "Ask the customer to accept the reseller relationship, then import it again.",
        "ask the customer to accept the reseller relationship",
    ),
    ReasonCode.CHANGED_SINCE_PREVIEW: ReasonMeaning(
        "Changed since the preview",
        (Outcome.SKIPPED,),
        "The run was to do what a preview had said, and it would now do otherwise: Partner Center, the mapping or the "
        "BSS has changed. Nothing was written.",
        "Start a new preview, and import what it says.",
        "start a new preview, and import what it says",
    ),
    ReasonCode.NOT_APPROVED: ReasonMeaning(
        "Not approved",
        (Outcome.SKIPPED,),
        "The run asked a person whether it may write to the BSS, and the answer was no, or nobody answered in time. "
        "Nothing was written.",
        "When it is to be written after all, start the import again and approve it under Required Actions.",
        "start the import again, and approve it under Required Actions",
    ),
    ReasonCode.CONFIGURATION: ReasonMeaning(
        "The configuration's fault",
        (Outcome.FAILED,),
        "The BSS refused a value that an ordering-options profile or the instance sets, not one of the customer's.",
        "Correct the profile or the instance, as the reason says; then import again.",
        "correct the profile or the instance; each reason names the field",
    ),
    ReasonCode.BSS_ERROR: ReasonMeaning(
        "The BSS failed",
        (Outcome.FAILED,),
        "The BSS did not do its part for this customer: an error, no usable answer, or a linked account that it no "
        "longer has. The reason says which.",
        "Import the customer again: it continues where this run ended, and creates nobody twice. When the linked "
        "account is gone, decide first which account the customer is.",
        "start the import again; it continues where this one ended",
    ),
    ReasonCode.LINK_DELETED: ReasonMeaning(
        "The link was deleted",
        (Outcome.FAILED,),
        "The customer's row in tenant_links was deleted while the customer was written.",
        "Import the customer again: its account is looked for by the tenant id, not created twice.",
        "start the import again; it looks for the account by its tenant id",
    ),
    ReasonCode.NOT_CLASSIFIED: ReasonMeaning(
        "Whose customer is not known",
        (Outcome.FAILED,),
        "Partner Center gave no usable answer about the customer, and no earlier run knows whose it is. It does not "
        "count as discovered.",
        "Start the import again. If it repeats, look at the customer in Partner Center.",
        _AGAIN,
    ),
    ReasonCode.EXTRACTION_ERROR: ReasonMeaning(
        "Partner Center failed",
        (Outcome.FAILED,),
        "Partner Center gave no usable answer about the customer. The reason says what it answered.",
        "Start the import again. If it repeats, look at the customer in Partner Center.",
        _AGAIN,
    ),
    ReasonCode.NOT_REACHED: ReasonMeaning(
        "Not reached",
        (Outcome.FAILED,),
        "The run ended before this customer's turn.",
        "See in the run why it ended, mend that, and start the import again.",
        "mend what ended the run, then start the import again",
    ),
    ReasonCode.ALREADY_IMPORTED: ReasonMeaning(
        "The other import has it",
        (Outcome.SKIPPED,),
        "The customer has subscriptions with and without a reseller's MPN ID, so direct and indirect import both find "
        "it; the other one has created its account.",
        _NOTHING,
    ),
    ReasonCode.EXCLUDED: ReasonMeaning(
        "Excluded",
        (Outcome.SKIPPED,),
        "A person decided that the customer is not imported. Its BSS account, when it has one, is left alone.",
        "Nothing; revoke the decision under Microsoft Tenants when it is to be imported after all.",
    ),
    ReasonCode.CUSTOMER_LEFT: ReasonMeaning(
        "The customer has left",
        (Outcome.SKIPPED,),
        "Partner Center still lists the customer, but says that there is no relationship with it any more.",
        "Nothing. Its BSS account stays: end it in the BSS when that is right.",
    ),
    ReasonCode.CUSTOMER_GONE: ReasonMeaning(
        "The customer is gone",
        (Outcome.SKIPPED,),
        "Partner Center listed the customer, and no longer had it when it was asked for.",
        "Nothing. Its BSS account stays: end it in the BSS when that is right.",
    ),
    ReasonCode.CLAIMED_ELSEWHERE: ReasonMeaning(
        "Another run writes it",
        (Outcome.SKIPPED,),
        "Another run is writing this customer at the same time.",
        "Nothing; see the customer's result in the other run.",
    ),
    ReasonCode.SUPERSEDED: ReasonMeaning(
        "A newer reading was written",
        (Outcome.SKIPPED,),
        "A run that read the customer later has already written it, so that this older reading is not written over it.",
        "Nothing; see the customer's result in the other run.",
    ),
    ReasonCode.EXISTING_SKIPPED: ReasonMeaning(
        "Exists, and is not updated",
        (Outcome.SKIPPED,),
        "The customer has a BSS account that may differ from Partner Center; it was not compared, because the run was "
        "started with on_existing: skip.",
        "Nothing; start an import with on_existing: update when the change is to be written.",
    ),
    ReasonCode.NEW: ReasonMeaning(
        "New",
        (Outcome.CREATED, Outcome.WOULD_CREATE),
        "The customer had no BSS account; account, contact and sync options were created, or would be.",
        _NOTHING,
    ),
    ReasonCode.ADOPTED: ReasonMeaning(
        "An account was found",
        (Outcome.UPDATED, Outcome.UNCHANGED, Outcome.WOULD_UPDATE),
        "A BSS account carried the customer's tenant id already, or a person decided that it is the customer. It was "
        "linked, not created again.",
        _NOTHING,
    ),
    ReasonCode.CHANGED: ReasonMeaning(
        "Changed",
        (Outcome.UPDATED, Outcome.WOULD_UPDATE),
        "Partner Center or the mapping gives other values than the BSS has. The reason names the fields.",
        _NOTHING,
    ),
    ReasonCode.SAME: ReasonMeaning(
        "Nothing to do",
        (Outcome.UNCHANGED,),
        "The BSS holds what Partner Center and the mapping give.",
        _NOTHING,
    ),
}
"""Every reason code; those that a person has to do something about first."""


def find_meaning(code: str | None) -> ReasonMeaning | None:
    """Return what a stored code means; ``None`` for one that this version does not know."""
    return REASONS.get(ReasonCode(code)) if code in set(ReasonCode) else None
