"""What every task shares about a run: its row, parameters, reference data, staged customers and results."""
