"""Asks Partner Center about MPN ids that no reseller of this partner has, so that whoever reads of them knows more.

It decides nothing: a customer is skipped for its unknown MPN id whatever Partner Center says of it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from customer_import.errors import RejectedRequestError, RetriableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from customer_import.partner_center.client import PartnerCenterClient

log = logging.getLogger(__name__)

_ASKED_AT_ONCE = 50


class ResellerCheck:
    """What Partner Center says of MPN ids, each asked for once a run.

    Args:
        client: Asks.
    """

    def __init__(self, client: PartnerCenterClient) -> None:
        self._client = client
        self._answers: dict[str, bool | None] = {}
        self._is_silent = False
        self._turn = asyncio.Lock()

    async def describe(self, mpn_ids: Iterable[str]) -> str:
        """Return in words what Partner Center says of unknown MPN ids; empty when it says nothing.

        Raises:
            AuthenticationError: The token was refused.
        """
        # Subscriptions may carry any text; an id is digits, and another text may spoil the whole request.
        wanted = sorted({each for each in mpn_ids if each.isascii() and each.isdigit()})
        async with self._turn:
            missing = [each for each in wanted if each not in self._answers]
            for first in range(0, len(missing), _ASKED_AT_ONCE):
                await self._ask(missing[first : first + _ASKED_AT_ONCE])
        return " ".join(
            sentence.format(", ".join(named))
            for is_valid, sentence in _SENTENCES.items()
            if (named := [each for each in wanted if self._answers[each] is is_valid])
        )

    async def _ask(self, mpn_ids: Sequence[str]) -> None:
        self._answers |= dict.fromkeys(mpn_ids)
        if self._is_silent:
            return
        try:
            self._answers |= await self._client.validate_resellers(mpn_ids)
        except (RejectedRequestError, RetriableError) as error:
            self._is_silent = True  # asking on would only wait: nothing depends on the answer
            log.warning("Partner Center does not say whose MPN ids are unknown: %s", error)


_SENTENCES = {
    True: "Microsoft confirms {} as an authorised reseller's: see whether it is another location of one of yours.",
    False: "Microsoft does not confirm {} as an authorised reseller's: correct the partner of record.",
}
