"""The target: the interworks.cloud BSS."""
