"""Whether ``sandbox/contracts`` describes what the import sends and reads, and what the sandbox answers."""
