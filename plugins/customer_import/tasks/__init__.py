"""One room per Airflow task. No room imports another."""
