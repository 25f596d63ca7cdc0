"""Imports that are killed, throttled, cut off and run twice at once must end like an undisturbed one.

``python -m tests.chaos`` runs every case and prints a line for each; ``test_chaos_fast.py`` runs a fast selection.
"""
