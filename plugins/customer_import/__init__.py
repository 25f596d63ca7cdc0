"""Import Microsoft Partner Center customers into interworks.cloud BSS.

The library behind the three DAGs. It is importable from DAG files, tasks and the API server alike because
``plugins/`` is on the path of all three; ``plugins/.airflowignore`` hides it from Airflow's plugin scan.
"""

from __future__ import annotations

__version__ = "2.0.0"

PAGES_PREFIX = "customer-import"
"""Where Airflow serves the pages, below its own address."""
