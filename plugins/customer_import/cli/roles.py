"""The roles that an Airflow with the FAB auth manager needs: those for all imports, and those that instances name."""

from __future__ import annotations

from customer_import.config.instances import load_each_instance
from customer_import.config.roles import roles_to_import
from customer_import.errors import ConfigurationError


def known_roles() -> tuple[list[dict[str, str]], list[str]]:
    """Return the roles as ``airflow roles import`` takes them, and which instances could not be read, in words.

    What is wrong with an instance, or with the whole file, keeps nobody else from having a role.
    """
    try:
        instances = load_each_instance()
    except ConfigurationError as error:
        return roles_to_import(), [str(error)]
    problems = [str(one) for one in instances.values() if isinstance(one, ConfigurationError)]
    right = [one for one in instances.values() if not isinstance(one, ConfigurationError)]
    return roles_to_import(instance.roles for instance in right), problems
