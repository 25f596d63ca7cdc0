"""Error texts that repeat what was sent."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.errors import RejectedRequestError
from customer_import.http.redaction import redact, request_texts
from tests.http.conftest import Script, answer

PERSON = {"firstName": "Eleni", "lastName": "Παπαδοπούλου", "flags": [True, 7], "note": None}


async def test_an_error_that_quotes_token_and_body_is_told_without_them(session, script: Script):
    said = "Bearer token-1 ELENI Παπαδοπούλου was not accepted."
    body = orjson.dumps({"code": 3000, "description": said})
    script.answers = [answer(body, 400)]
    with pytest.raises(RejectedRequestError) as caught:
        await session.write("POST", "/people", endpoint="/people", json=PERSON, parse=bytes)
    assert caught.value.reason == "Bearer … … … was not accepted."


def test_texts_of_the_body_and_the_token_were_sent_but_no_names_and_numbers():
    sent = request_texts({"Authorization": "Bearer abc.def"}, orjson.dumps(PERSON))
    assert set(sent) == {"abc.def", "Eleni", "Παπαδοπούλου"}


def test_a_text_within_a_longer_one_leaves_no_rest():
    sent = request_texts({}, orjson.dumps(["Anna", "Anna Maria"]))
    assert redact("Anna Maria exists", sent) == "… exists"


def test_a_part_of_another_word_stays():
    assert redact("Annual report of Ann", ("Ann",)) == "Annual report of …"


def test_nothing_sent_changes_nothing():
    assert redact("The country is unknown.", ()) == "The country is unknown."


@given(st.text(min_size=2), st.text(), st.text())
def test_what_was_sent_is_gone_between_blanks(value: str, before: str, after: str):
    sent = request_texts({}, orjson.dumps([value]))
    left = redact(f"{before} {value.strip()} {after}", sent)
    assert all(f" {text} " not in f" {left} " for text in sent if "…" not in text)
