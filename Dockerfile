# Two images: `production`, the official Airflow image with this package, its DAGs and its configuration; and `sandbox`,
# the same with the local Entra ID, Partner Center and BSS beside it, for the compose file's profile of that name.
FROM apache/airflow:3.3.2-python3.11 AS base

COPY --chown=airflow:root requirements.txt /opt/customer-import/requirements.txt
# Bytecode is compiled once here; without it every task start costs twice.
RUN uv pip install --no-cache --compile-bytecode --require-hashes --requirement /opt/customer-import/requirements.txt

COPY --chown=airflow:root pyproject.toml README.md LICENSE /opt/customer-import/
COPY --chown=airflow:root plugins /opt/customer-import/plugins
COPY --chown=airflow:root include /opt/customer-import/include
RUN uv pip install --no-cache --compile-bytecode --no-deps /opt/customer-import

COPY --chown=airflow:root dags /opt/airflow/dags
COPY --chown=airflow:root include /opt/airflow/include


FROM base AS sandbox

COPY --chown=airflow:root requirements/sandbox.txt /opt/customer-import/requirements/sandbox.txt
RUN uv pip install --no-cache --compile-bytecode --require-hashes --requirement /opt/customer-import/requirements/sandbox.txt
COPY --chown=airflow:root sandbox /opt/airflow/sandbox
ENV PYTHONPATH=/opt/airflow


FROM base AS production
