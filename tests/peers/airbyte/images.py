"""Leaves out what builds and runs an image of the connector; a plugin of pytest."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "no image is made of this source: it is for its library's tests only"
    for item in items:
        if item.get_closest_marker("image_tests"):
            # Before those that the tests bring, which would look for a container engine.
            item.add_marker(pytest.mark.skip(reason=reason), append=False)
