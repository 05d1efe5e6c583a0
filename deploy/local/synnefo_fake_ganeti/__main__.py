"""`python -m synnefo_fake_ganeti serve --state DIR --cluster NAME=PORT [--cluster NAME=PORT ...]`.

Prints `fake-ganeti ready NAME=URL ...` when it answers; credentials and certificate are in `DIR/NAME/cluster.json`.
"""

import argparse
import asyncio
from pathlib import Path

from synnefo_fake_ganeti.rapi import Settings
from synnefo_fake_ganeti.server import serve


def _cluster(text: str) -> tuple[str, int]:
    name, separator, port = text.partition("=")
    if not separator or not name.isidentifier() or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PORT")
    return name, int(port)


def main() -> None:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="synnefo_fake_ganeti", description="Fake Ganeti clusters: real RAPI, no machines.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("serve", help="serve clusters until stopped")
    run.add_argument("--state", type=Path, required=True, metavar="DIR", help="where state and credentials are kept")
    run.add_argument("--cluster", type=_cluster, action="append", required=True, metavar="NAME=PORT", help="port 0: any free")
    run.add_argument("--host", default="127.0.0.1")
    run.add_argument("--nodes", type=int, default=1, metavar="N", help="nodes of each cluster (default 1)")
    run.add_argument("--node-memory-mib", type=int, default=defaults.node_memory_mib)
    run.add_argument("--node-disk-mib", type=int, default=defaults.node_disk_mib)
    run.add_argument("--node-cpus", type=int, default=defaults.node_cpus)
    run.add_argument("--job-delay", type=float, default=defaults.job_delay_s, metavar="SECONDS", help="length of a job")
    run.add_argument("--max-running-jobs", type=int, default=defaults.max_running_jobs)
    run.add_argument("--archive-after", type=float, default=defaults.archive_after_s, metavar="SECONDS")
    run.add_argument("--seed", type=int, help="makes ids, MACs and the like the same in each run")
    run.add_argument("--no-sync", action="store_true", help="no fsync: faster, lost when the power fails")
    args = parser.parse_args()
    settings = Settings(
        nodes=args.nodes,
        node_memory_mib=args.node_memory_mib,
        node_disk_mib=args.node_disk_mib,
        node_cpus=args.node_cpus,
        job_delay_s=args.job_delay,
        max_running_jobs=args.max_running_jobs,
        archive_after_s=args.archive_after,
    )
    clusters = dict(args.cluster)
    asyncio.run(serve(clusters, state_dir=args.state, settings=settings, host=args.host, seed=args.seed, sync=not args.no_sync))


if __name__ == "__main__":
    main()
