"""Which paths the two clients can ask for: every text in their code that is one, whoever uses it."""

from __future__ import annotations

import ast
from pathlib import Path

import customer_import
from tests.contract.descriptions import shape

_ROOTS = {"bss": ("/api/", "/oauth/"), "partner_center": ("/v1/",)}


def client_paths(service: str) -> dict[str, str]:
    """Return the shapes of the paths that a client names, each with where."""
    found: dict[str, str] = {}
    for path in sorted((Path(customer_import.__file__).parent / service).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = _text(node).partition("?")[0]
            if text.startswith(_ROOTS[service]) and text not in _ROOTS[service]:
                found.setdefault(shape(text), f"{service}/{path.name}")
    return found


def _text(node: ast.AST) -> str:
    """Return a text, what is put into it as ``{}``; nothing of what is none, or is prose."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    texts = [
        part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}"
        for part in parts
        if isinstance(part, ast.Constant | ast.FormattedValue)
    ]
    text = "".join(texts)
    return "" if " " in text or "\n" in text else text
