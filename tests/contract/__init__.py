"""Whether the descriptions in ``sandbox/contracts`` are what the import sends and reads, and what the sandbox answers."""
