"""A hash-locked requirements file and a Dockerfile, read: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Mapping

LINUX = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}
_HASH = re.compile(r"--hash=\S+")
_FROM = re.compile(
    r"^FROM\s+(?P<name>[^\s:@]+)(:(?P<tag>[^\s@]+))?(@(?P<digest>\S+))?", re.MULTILINE
)


@dataclass(frozen=True)
class Locked:
    """One requirement of the file.

    Attributes:
        requirement: Name, exact version and, where it is for some platforms only, marker.
        hashes: As ``--hash=sha256:...``.
    """

    requirement: Requirement
    hashes: tuple[str, ...]

    def as_text(self) -> str:
        """The requirement as pip reads it."""
        return " \\\n    ".join([str(self.requirement), *self.hashes])


@dataclass(frozen=True)
class BaseImage:
    """What an image is built from; the digest is there when the Dockerfile names it."""

    name: str
    tag: str | None
    digest: str | None

    @property
    def purl(self) -> str:
        """Its package URL: by digest when that is known, else by tag."""
        space, _, name = self.name.rpartition("/")
        version = (self.digest or self.tag or "latest").replace(":", "%3A")
        qualifiers = f"?tag={self.tag}" if self.digest and self.tag else ""
        return f"pkg:docker/{space}/{name}@{version}{qualifiers}"


def read_locked(text: str) -> list[Locked]:
    """Read a requirements file.

    Raises:
        ValueError: A requirement has no exact version or no hash; names it.
    """
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE))
    found = []
    for line in filter(str.strip, joined.splitlines()):
        hashes = tuple(_HASH.findall(line))
        requirement = Requirement(_HASH.sub("", line).strip())
        pins = [one for one in requirement.specifier if one.operator == "=="]
        if len(pins) != 1 or not hashes:
            message = f"{requirement.name} has no exact version or no hash. Hint: make lock"
            raise ValueError(message)
        found.append(Locked(requirement, hashes))
    return found


def installed_on(locked: list[Locked], environment: Mapping[str, str]) -> list[Locked]:
    """Return what is installed in an environment, as markers name it."""
    return [
        one
        for one in locked
        if one.requirement.marker is None or one.requirement.marker.evaluate(dict(environment))
    ]


def python_environment(version: str) -> dict[str, str]:
    """Return the markers of CPython of a version, such as ``3.11``, in a Linux image."""
    return {
        **LINUX,
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_version": f"{version}.0",
        "platform_release": "",
        "platform_version": "",
    }


def base_image(dockerfile: str) -> BaseImage:
    """Return what the first stage is built from.

    Raises:
        ValueError: There is no ``FROM``.
    """
    if (found := _FROM.search(dockerfile)) is None:
        message = "the Dockerfile has no FROM"
        raise ValueError(message)
    return BaseImage(found["name"], found["tag"], found["digest"])
