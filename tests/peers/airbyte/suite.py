"""What Airbyte's development kit asks of every source."""

from __future__ import annotations

from airbyte_cdk.test.standard_tests.source_base import SourceTestSuiteBase

from tests.peers.airbyte.connector import SourcePartnerCenter


class TestSource(SourceTestSuiteBase):
    connector = SourcePartnerCenter
