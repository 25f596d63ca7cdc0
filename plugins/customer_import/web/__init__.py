"""The pages inside Airflow, and the JSON API beside them; they never write to the database."""
