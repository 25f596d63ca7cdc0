"""A local Entra ID, Microsoft Partner Center and interworks.cloud BSS in one process.

The demo, the tests and the benchmarks run against it, so that no test has to replace the HTTP
client. It keeps to what the vendors' documents and recorded bodies show, quirks included, and
counts every request that the real services would refuse. It is not a security boundary: its
credentials are derived from the seed and its control API has no login.
"""

from __future__ import annotations

from sandbox.config import ClassMix, RateLimit, SandboxConfig
from sandbox.faults import FaultKind, FaultRule
from sandbox.info import OrganisationInfo, SandboxInfo
from sandbox.server import SandboxServer

__all__ = [
    "ClassMix",
    "FaultKind",
    "FaultRule",
    "OrganisationInfo",
    "RateLimit",
    "SandboxConfig",
    "SandboxInfo",
    "SandboxServer",
]
