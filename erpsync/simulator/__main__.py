"""``python -m erpsync.simulator``: the practice landscape as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from erpsync.errors import UsageError
from erpsync.simulator.process import CONTROL, SYSTEMS, Wish, serve


def main() -> int:
    """Read the options and serve until stopped; the exit code."""
    try:
        return asyncio.run(serve(_wish()))
    except UsageError as error:
        print(f"error: {error.message}", file=sys.stderr)
        print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename or 'the simulator'}, {error.strerror or error}", file=sys.stderr)
        return 1


def _wish() -> Wish:
    parser = argparse.ArgumentParser(
        prog="python -m erpsync.simulator",
        description="An ERP, a warehouse and a shop with HTTP interfaces on this machine, for practice and tests.",
    )
    parser.add_argument(
        "--folder", type=Path, help="where documents, ports and ready.json are kept (default: in memory)"
    )
    parser.add_argument("--seed", type=int, default=7, help="what faults are drawn from (default 7)")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="which of erp,wms,shop (default: all)")
    parser.add_argument("--ports", default="", help="ports, like erp=21001,control=21000; fixed once chosen")
    parser.add_argument("--ready-file", type=Path, help="written when serving (default: FOLDER/ready.json)")
    options = parser.parse_args()
    systems = tuple(name for name in options.systems.split(",") if name)
    if not systems or (unknown := [name for name in systems if name not in SYSTEMS]):
        parser.error(f"--systems: {', '.join(unknown) if systems else 'none'}: not of {', '.join(SYSTEMS)}")
    ports: dict[str, int] = {}
    for pair in filter(None, options.ports.split(",")):
        name, _, port = pair.partition("=")
        if name not in (*SYSTEMS, CONTROL) or not port.isdigit() or int(port) > 65_535:
            parser.error(f"--ports: {pair!r} is not like erp=21001")
        ports[name] = int(port)
    return Wish(options.folder, options.seed, systems, ports, options.ready_file)


if __name__ == "__main__":
    sys.exit(main())
