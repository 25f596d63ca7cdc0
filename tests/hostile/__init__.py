"""A server that lies, stalls, floods and leads elsewhere, and what the import's clients make of it."""
