"""The pages inside Airflow."""
