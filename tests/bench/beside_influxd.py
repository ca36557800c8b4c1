"""Run a command beside a real influxd of its own, in a temporary folder, and end it.

usage: python -m tests.bench.beside_influxd COMMAND [ARGUMENTS]

The command finds it by ``RESILIAN_STORE`` and ``RESILIAN_STORE_TOKEN``; its exit code is the exit code.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers import InfluxServer, find_influxd


def main(command: list[str]) -> int:
    program = find_influxd()
    if program is None:
        sys.stderr.write("influxd is not built; needs Go and cargo: scripts/build-influxd\n")
        return 3
    with tempfile.TemporaryDirectory(prefix="resilian-influxd-") as folder:
        server = InfluxServer(program, Path(folder))
        try:
            server.start()
            server.set_up()
            place = server.organisation()
            there = {"RESILIAN_STORE": place.url, "RESILIAN_STORE_TOKEN": place.token}
            return subprocess.run(command, env={**os.environ, **there}, check=False).returncode
        finally:
            server.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
