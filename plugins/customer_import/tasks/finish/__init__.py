"""The task ``finish_run``: an outcome for every tenant, the conservation check, the summary."""
