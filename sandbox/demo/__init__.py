"""The demo: sandbox and Airflow on this machine, and the three imports from start to result."""
