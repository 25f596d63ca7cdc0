"""The certificate authority that signs Entra ID's certificate.

Made with trustme, for tests only. With a data folder the authority is kept there, so that what a
client was told to trust stays right over a restart.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

CA_FILE = "ca.pem"
_CA_KEY_FILE = "ca.key.pem"
_SERVER_FILE = "entra.pem"


def server_context(folder: Path, names: tuple[str, ...]) -> ssl.SSLContext:
    """Make the TLS context for a server of these names.

    Args:
        folder: Where the authority is read from or, when there is none, written to.
        names: Host names and addresses that the certificate is good for.
    """
    authority = _authority(folder)
    server_file = folder / _SERVER_FILE
    certificate = authority.issue_cert(*names)
    certificate.private_key_and_cert_chain_pem.write_to_path(str(server_file))
    server_file.chmod(0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file)
    return context


def _authority(folder: Path) -> trustme.CA:
    certificate, key = folder / CA_FILE, folder / _CA_KEY_FILE
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    authority = trustme.CA(organization_name="Sandbox")
    key.touch(mode=0o600)
    key.write_bytes(authority.private_key_pem.bytes())
    certificate.write_bytes(authority.cert_pem.bytes())
    return authority
