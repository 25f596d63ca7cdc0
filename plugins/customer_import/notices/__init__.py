"""Tells people what they did not ask about: failures, problems, what waits, what is overdue or about to end."""
