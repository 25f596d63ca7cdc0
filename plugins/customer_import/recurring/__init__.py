"""What makes a recurring run cost what changed: which customers are read again, which are carried on."""
