"""What Singer's SDK asks of every tap and target, and what we ask of the two together."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stdout

from singer_sdk.testing import get_tap_test_class, get_target_test_class

from tests.peers.singer.connectors import TapPartnerCenter, TargetBss

SOURCE = {"instance": "sandbox"}
TARGET = {
    "instance": "sandbox",
    "database": os.environ["PEER_DATABASE"],
    # What the SDK's test streams do not have.
    "defaults": {
        "billingProfile.firstName": "Rosa",
        "billingProfile.lastName": "Lind",
        "billingProfile.defaultAddress.country": "US",
    },
}

TestTap = get_tap_test_class(TapPartnerCenter, config=SOURCE)
TestTarget = get_target_test_class(TargetBss, config=TARGET)


def test_customers_of_the_tap_are_imported_by_the_target_and_only_once():
    """The runner compares the BSS with Partner Center afterwards."""
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with redirect_stdout(written):
        TapPartnerCenter(config=SOURCE).sync_all()
    lines = written.buffer.getvalue().decode().splitlines(keepends=True)
    customers = [line for line in lines if json.loads(line).get("stream") in {"customers", None}]
    for _ in range(2):
        TargetBss(config=TARGET).listen(io.StringIO("".join(customers)))
