"""``python -m sandbox.demo.export``: what Airflow must know of a sandbox, as files for Airflow's own import commands.

For an Airflow that runs elsewhere than the demo's, such as the compose file's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson

from sandbox.demo.settings import connections, variables, write_instances
from sandbox.info import SandboxInfo


def main(arguments: list[str] | None = None) -> int:
    """Write ``connections.json``, ``variables.json`` and ``instances.yaml`` into a folder."""
    parser = argparse.ArgumentParser(prog="demo.export", description=__doc__)
    parser.add_argument(
        "--info-file", type=Path, required=True, help="what the sandbox wrote when it was ready"
    )
    parser.add_argument("--folder", type=Path, required=True, help="where the files go")
    options = parser.parse_args(arguments)
    info = SandboxInfo.read(options.info_file)
    by_name = {connection.pop("connection_id"): connection for connection in connections(info)}
    for name, content in (("connections.json", by_name), ("variables.json", variables(info))):
        path = options.folder / name
        path.touch(mode=0o600)
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    write_instances(info, options.folder / "instances.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
