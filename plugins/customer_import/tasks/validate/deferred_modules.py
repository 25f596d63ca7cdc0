"""Leaves out what a library imports and this process never uses, until something of it is used after all.

The standard library's ``LazyLoader`` does not do here: in Python 3.11 the ``import`` statement itself asks a module for
its ``__spec__``, which makes that one load.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def deferred(*names: str) -> Iterator[None]:
    """Whoever imports one of these modules in the block gets a stand-in, which imports it at its first use.

    Modules that are imported already stay what they are, and who imports one after the block gets the module itself.
    """
    stand_ins = {name: _StandIn(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


class _StandIn(ModuleType):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, loader=None)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the module has
        """Give what the module has; it is imported now if nobody did before."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
