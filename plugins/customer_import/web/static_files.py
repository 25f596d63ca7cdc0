"""Serves the pages' script and style files: a fixed list, under the same login as everything else."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, status
from fastapi.responses import FileResponse

_FOLDER = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    "app.css": "text/css",
    "app.js": "text/javascript",
    "theme.js": "text/javascript",
    "vendor/htmx/htmx.min.js": "text/javascript",
    "vendor/htmx/LICENSE": "text/plain",
}

router = APIRouter()


@router.get("/static/{name:path}", include_in_schema=False)
def get_static(name: str) -> FileResponse:
    """Return one of the pages' files; its address changes with its content, so it may be kept."""
    if name not in _MEDIA_TYPES:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return FileResponse(_FOLDER / name, media_type=_MEDIA_TYPES[name], headers=headers)


@cache
def static_url(name: str) -> str:
    """Return the address of a file, relative to the pages."""
    digest = hashlib.blake2b((_FOLDER / name).read_bytes(), digest_size=6).hexdigest()
    return f"static/{name}?v={digest}"
