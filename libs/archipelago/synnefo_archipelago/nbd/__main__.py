"""`python -m synnefo_archipelago.nbd --store URL --socket PATH --state FOLDER [--owner NODE]`: becomes nbdkit.

One endpoint per node: a lock on the state folder, held as long as nbdkit runs, keeps a second one away.
"""

import argparse
import fcntl
import os
import shutil
import socket
import sys
from pathlib import Path


def command(options: argparse.Namespace) -> list[str]:
    """nbdkit's command line."""
    words = ["nbdkit", "--foreground", "--unix", str(options.socket), "--threads", str(options.threads)]
    return [
        *words, "python", str(Path(__file__).with_name("plugin.py")),
        f"store={options.store}", f"owner={options.owner}", f"state={options.state}",
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="synnefo-nbd", description="Serve the volumes of a store by NBD on a Unix socket.")
    parser.add_argument("--store", required=True, help="URL of the store: file:///path or rados:///ceph.conf")
    parser.add_argument("--socket", required=True, type=Path, help="the Unix socket to listen on")
    parser.add_argument("--state", required=True, type=Path, help="a folder for journals, of this node alone")
    parser.add_argument("--owner", default=socket.gethostname(), help="the name that leases carry (default: the host's)")
    parser.add_argument("--threads", type=int, default=16, help="requests of one connection served side by side")
    options = parser.parse_args(arguments)
    nbdkit = shutil.which("nbdkit")
    if nbdkit is None:
        parser.exit(1, "synnefo-nbd: nbdkit is not installed (Debian: nbdkit, nbdkit-plugin-python)\n")
    options.state.mkdir(parents=True, exist_ok=True)
    lock = os.open(options.state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        parser.exit(1, f"synnefo-nbd: another endpoint runs in {options.state}\n")
    os.set_inheritable(lock, True)  # nbdkit holds it from now on
    options.socket.unlink(missing_ok=True)  # of a server that was killed: nobody listens there, the lock says
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    os.execv(nbdkit, command(options))


if __name__ == "__main__":
    main()
