# The official Airflow image with this project's locked requirements, DAGs, library and mapping files in it.
FROM apache/airflow:3.3.2-python3.11

COPY --chown=airflow:root requirements.txt /opt/customer-import/requirements.txt
# Bytecode is compiled once here; without it every task start costs twice.
RUN uv pip install --no-cache --compile-bytecode --requirement /opt/customer-import/requirements.txt

COPY --chown=airflow:root dags /opt/airflow/dags
COPY --chown=airflow:root plugins /opt/airflow/plugins
COPY --chown=airflow:root include /opt/airflow/include
RUN python -m compileall -q /opt/airflow/plugins /opt/airflow/include

# The library reads its data beside plugins/; this says so for whoever moves one of them.
ENV CUSTOMER_IMPORT_INCLUDE=/opt/airflow/include \
    PYTHONPATH=/opt/airflow/plugins
