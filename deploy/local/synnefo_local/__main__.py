"""`python -m synnefo_local up|down|status|logs|clean|demo|embedded`: what `make` calls."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from synnefo_local import cloud
from synnefo_local.ganeti import check_real
from synnefo_local.layout import VARIANTS, Layout, LocalError, only_one, real_root, remove, state_root
from synnefo_local.status import print_status


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def chosen_variant(profile: str, ganeti: str) -> str:
    return "embedded" if profile == "embedded" else f"full-{ganeti}"


def current(root: Path) -> Layout:
    """The cloud that was started last."""
    try:
        variant = (root / "current").read_text().strip()
    except FileNotFoundError:
        variant = "embedded"
    return Layout(root, variant)


def up(options: argparse.Namespace) -> int:
    root = state_root()
    layout = Layout(root, chosen_variant(options.profile, options.ganeti))
    if layout.has_real_ganeti:
        check_real()  # before anything that runs is stopped for it
    with only_one(root):
        for other in (Layout(root, v) for v in VARIANTS if v != layout.variant):
            if cloud.is_running(other):
                say(f"stopping the {other.variant} cloud first (its state is kept)")
                cloud.down(other, say=say)
        say(f"{layout.variant} cloud in {layout.home}")
        (root / "current").write_text(layout.variant + "\n")
        cloud.up(layout, say=say, throwaway=options.throwaway, hypervisor=options.hypervisor)
    shown = os.path.relpath(root / "openrc")
    print(f"\nNext:  source {shown if not shown.startswith('..') else root / 'openrc'}\n"
          "       openstack server create --flavor m1.nano --image tiny --wait first\n"
          "or     make demo")  # fmt: skip
    return 0


def down(_: argparse.Namespace) -> int:
    root = state_root()
    if root.exists():
        with only_one(root):
            for variant in VARIANTS:
                cloud.down(Layout(root, variant), say=say)
    return 0


def clean(_: argparse.Namespace) -> int:
    root = state_root()
    if root.exists():
        with only_one(root):
            for variant in VARIANTS:
                cloud.down(Layout(root, variant), say=say, purge=True)
    for folder in (real_root(root), root):
        if remove(folder):
            say(f"removed {folder}")
    return 0


def status(_: argparse.Namespace) -> int:
    return print_status(current(state_root()))


def logs(options: argparse.Namespace) -> int:
    files = cloud.logs(current(state_root()))
    if options.name and options.name not in files:
        raise LocalError(f"no process {options.name}; there are {', '.join(files) or 'none'}")
    shown = [str(path) for name, path in files.items() if path.exists() and options.name in (None, name)]
    if not shown:
        say("no logs yet")
        return 0
    follow = ["-F"] if options.follow else []
    return subprocess.run(["tail", "-n", str(options.lines), *follow, *shown], check=False).returncode


def demo(options: argparse.Namespace) -> int:
    from synnefo_local.demo import run_demo

    return run_demo(current(state_root()), keep=options.keep)


def embedded(_: argparse.Namespace) -> int:
    from synnefo_local.embedded import main as run_embedded

    run_embedded()
    return 0


def compose(options: argparse.Namespace) -> int:
    from synnefo_local import compose as stack

    root = stack.compose_root()
    if options.do == "up":
        stack.up(root, say=say)
        print(f"\nNext:  source {os.path.relpath(root / 'openrc')}\nor     SYNNEFO_STATE={os.path.relpath(root)} make demo")
    elif options.do == "roll":
        stack.roll(root, say=say, names=options.name)
    else:
        stack.down(root, say=say, purge=options.do == "clean")
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m synnefo_local", description="Synnefo on one machine.")
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    starting = verb("up", up, "start the cloud in the background and wait until it is ready")
    starting.add_argument("--profile", choices=("embedded", "full"), default=os.environ.get("PROFILE", "embedded"))
    starting.add_argument("--ganeti", choices=("fake", "real"), default=os.environ.get("GANETI") or "real")
    starting.add_argument(
        "--hypervisor", choices=("", "fake", "kvm"), default=os.environ.get("HYPERVISOR", ""), help="of real Ganeti; kvm: QEMU runs guests"
    )
    starting.add_argument("--throwaway", action="store_true", help="full profile without durability, for tests")
    verb("down", down, "stop the cloud; its state is kept")
    verb("status", status, "state of each process")
    showing = verb("logs", logs, "the ends of the logs")
    showing.add_argument("name", nargs="?", help="one process only")
    showing.add_argument("-n", dest="lines", type=int, default=20)
    showing.add_argument("-f", dest="follow", action="store_true")
    verb("clean", clean, "stop the cloud and delete its state")
    walking = verb("demo", demo, "walk the main job with the openstack client")
    walking.add_argument("--keep", action="store_true", help="stop before deleting what the walk made")
    composing = verb("compose", compose, "the cloud of deploy/compose.yml")
    composing.add_argument("do", choices=("up", "roll", "down", "clean"))
    composing.add_argument("name", nargs="*", help="roll: these containers only")
    verb("embedded", embedded, "run all services in the foreground (what `up` starts in the background)")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    try:
        return int(options.run(options))
    except LocalError as error:
        print(f"synnefo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
