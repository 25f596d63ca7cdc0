"""What Airflow parses: the DAG factories and their parameters."""
