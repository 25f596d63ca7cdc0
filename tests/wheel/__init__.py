"""Does the wheel alone do the work? An empty environment, an empty Airflow, a DAG file of a few lines, a real import.

``make test-wheel`` runs it: it installs some hundred packages and starts Airflow, which takes minutes.
"""
