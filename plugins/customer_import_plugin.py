"""For installations that copy folders: registers the pages of the package beside this file.

Where the package ``customer-import`` is installed, that registers itself, and says what became of this copy. Every task
process executes this file.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    version("customer-import")
except PackageNotFoundError:
    from customer_import.plugin import CustomerImportPlugin

    __all__ = ["CustomerImportPlugin"]
