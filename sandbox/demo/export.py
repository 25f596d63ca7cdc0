"""``python -m sandbox.demo.export``: what Airflow must know of a sandbox, as files for Airflow's own import commands.

For an Airflow that runs elsewhere than the demo's, such as the compose file's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson

from sandbox.demo.processes import DemoError
from sandbox.demo.settings import connections, variables, write_instances
from sandbox.demo.taken_names import refuse_taken_names
from sandbox.info import SandboxInfo


def main(arguments: list[str] | None = None) -> int:
    """Write ``connections.json``, ``variables.json`` and ``instances.yaml`` into a folder; 1 when a name is taken."""
    parser = argparse.ArgumentParser(prog="demo.export", description=__doc__)
    parser.add_argument(
        "--info-file", type=Path, required=True, help="what the sandbox wrote when it was ready"
    )
    parser.add_argument("--folder", type=Path, required=True, help="where the files go")
    parser.add_argument(
        "--existing",
        type=argparse.FileType("rb"),
        help="what `airflow connections export --file-format json` wrote: a name that leads elsewhere is refused",
    )
    options = parser.parse_args(arguments)
    info = SandboxInfo.read(options.info_file)
    if options.existing:
        existing = orjson.loads(options.existing.read())
        try:
            refuse_taken_names(
                connections(info), {name: each["host"] for name, each in existing.items()}
            )
        except DemoError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    by_name = {connection.pop("connection_id"): connection for connection in connections(info)}
    for name, content in (("connections.json", by_name), ("variables.json", variables(info))):
        path = options.folder / name
        path.touch(mode=0o600)
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    write_instances(info, options.folder / "instances.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
