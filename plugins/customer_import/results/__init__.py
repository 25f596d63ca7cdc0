"""Summaries, conservation, queries."""
