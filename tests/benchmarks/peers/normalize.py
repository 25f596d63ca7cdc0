"""``pandas.json_normalize`` over the bodies, then a rename and text clean-up by column: the obvious way."""

from __future__ import annotations

from typing import Any

import orjson
import pandas as pd

from tests.benchmarks.client import measured

ADDRESS = "billingProfile.defaultAddress."
MAPPED = {
    "companyProfile.companyName": "name",
    "billingProfile.email": "email",
    "billingProfile.firstName": "firstName",
    "billingProfile.lastName": "lastName",
    ADDRESS + "phoneNumber": "phone",
    ADDRESS + "addressLine1": "address",
    ADDRESS + "city": "city",
    ADDRESS + "state": "state",
    ADDRESS + "country": "country",
    ADDRESS + "postalCode": "postCode",
}


def transform(folder: str, customers: int) -> dict[str, Any]:
    bodies = [orjson.loads(_body(number)) for number in range(customers)]
    figures: dict[str, Any] = {}
    with measured(figures):
        frame = pd.json_normalize(bodies)[list(MAPPED)].rename(columns=MAPPED)
        for column in frame.columns:
            frame[column] = frame[column].str.strip()
        frame["countryId"] = frame["country"].str.upper().map({"US": 1, "DE": 2})
        frame["stateId"] = frame["state"].str.upper().map({"WA": 10})
        records = frame.to_dict("records")
    return figures | {"accounts": len(records)}


def _body(number: int) -> bytes:
    links = {"self": {"uri": f"/customers/{number}", "method": "GET", "headers": []}}
    attributes = {"objectType": "Customer", "etag": f"etag{number}"}
    return orjson.dumps(
        {
            "id": f"{number:032x}",
            "commerceId": f"{number:032x}",
            "companyProfile": {
                "tenantId": f"{number:032x}",
                "domain": f"company{number}.onmicrosoft.com",
                "companyName": f"Company {number}",
                "links": links,
                "attributes": attributes,
            },
            "billingProfile": {
                "id": f"{number:032x}",
                "firstName": "Rosa",
                "lastName": "Lind",
                "email": f"office{number}@northwind.example",
                "culture": "en-US",
                "language": "en",
                "companyName": f"Company {number}",
                "defaultAddress": {
                    "country": "US",
                    "city": "Redmond",
                    "state": "WA",
                    "addressLine1": f"{number} Long Road",
                    "postalCode": "98052",
                    "firstName": "Rosa",
                    "lastName": "Lind",
                    "phoneNumber": "4255550100",
                },
                "links": links,
                "attributes": attributes,
            },
            "relationshipToPartner": "reseller",
            "allowDelegatedAccess": True,
            "customDomains": [f"company{number}.onmicrosoft.com"],
            "links": links,
            "attributes": attributes,
        }
    )
