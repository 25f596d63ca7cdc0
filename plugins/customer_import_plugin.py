"""For installations that copy folders: registers the pages of the package beside this file.

Where the package ``customer-import`` is installed, that registers itself, and this copy only says so. Every task
process executes this file.
"""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version

try:
    installed: str | None = version("customer-import")
except PackageNotFoundError:
    installed = None

if installed is None:
    from customer_import.plugin import CustomerImportPlugin

    __all__ = ["CustomerImportPlugin"]
else:
    logging.getLogger(__name__).warning(
        "The package customer-import %s is installed and used; the copies customer_import/ and "
        "customer_import_plugin.py beside %s are not. Hint: delete them",
        installed,
        __file__,
    )
