"""The source: Microsoft Partner Center."""
