"""The deployment of ``docker-compose.yaml``, started without containers and disturbed while it imports."""
