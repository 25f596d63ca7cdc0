"""Airbyte: a source, and what its acceptance tests are told of it."""
