"""Whether secrets or personal values turn up where they must not: a whole import with faults, then a search."""
