"""Singer: a tap over the source, a target over the load."""
