"""Walks the story: runs each command as a user would type it, checks and times it."""

import secrets
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from synnefo_local.client_files import client_env
from synnefo_local.compose import Compose
from synnefo_local.layout import Layout
from synnefo_local.story import Answer, Step, StoryError, Walk
from synnefo_local.tiny_image import boot_sector

EVENTUALLY_S = 60.0
COMMAND_S = 300.0
DISK_BYTES = 9 << 20  # two whole blocks of 4 MiB and a part of one
# What a DHCP client does with its lease; routes beside the default one are left out.
LEASE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace $ip/$mask dev $interface
ip route replace default via $router
"""
AS_OPERATOR = ("synnefo ",)

Report = Callable[[Step, str, str, float], None]  # step, command as typed, result in a line, seconds


def new_walk(layout: Layout, folder: Path) -> Walk:
    """Names that no other walk uses, and the files that it uploads: bytes that no other walk has stored."""
    (folder / "disk.raw").write_bytes(boot_sector() + secrets.token_bytes(DISK_BYTES - 512))
    (folder / "udhcpc").write_text(LEASE)
    (folder / "udhcpc").chmod(0o755)
    (folder / "note.txt").write_bytes(b"The quick brown fox\n" * 1000 + secrets.token_bytes(16))
    return Walk(f"demo-{secrets.token_hex(2)}", folder, lambda: count_blocks(layout))


def walk_story(
    layout: Layout, steps: Iterable[Step], walk: Walk, *, report: Report, environ: Mapping[str, str]
) -> None:
    """StoryError at the first step that does not give what the story tells."""
    demo, admin = (client_env(layout, cloud=cloud, environ=environ) for cloud in ("demo", "admin"))
    for step in steps:
        command = walk.fill(step.command)
        if step.before:
            step.before(walk)
        began = time.monotonic()
        try:
            line = take(step, command, walk, env=admin if command.startswith(AS_OPERATOR) else demo)
        except StoryError as error:
            raise StoryError(f"{step.title}: {command}\n{error}") from error
        report(step, command, line, time.monotonic() - began)


def take(step: Step, command: str, walk: Walk, *, env: Mapping[str, str]) -> str:
    deadline = time.monotonic() + EVENTUALLY_S
    while True:
        answer = run(command, env=env)
        try:
            return judge(step, answer, walk)
        except StoryError:
            if not step.eventually or time.monotonic() > deadline:
                raise


def judge(step: Step, answer: Answer, walk: Walk) -> str:
    said = answer.err.strip() or answer.out.strip()
    if step.refused:
        if answer.code == 0 or step.refused not in said:
            raise StoryError(f"should have been refused with {step.refused}, but exit {answer.code}: {said[-1000:]}")
        return f"refused, as it must be: {said.splitlines()[-1]}"
    if answer.code:
        raise StoryError(f"exit {answer.code}: {said[-2000:]}")
    return step.check(walk, answer) if step.check else "done"


def run(command: str, *, env: Mapping[str, str]) -> Answer:
    try:
        done = subprocess.run(
            shlex.split(command), env=dict(env), capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise StoryError(f"no end after {COMMAND_S:.0f} s") from error
    except FileNotFoundError as error:
        raise StoryError(f"no such command: {error.filename}") from error
    return Answer(done.returncode, done.stdout, done.stderr)


def count_blocks(layout: Layout) -> int:
    """How many content-addressed blocks the store holds: files, or RADOS objects."""
    if (layout.root / ".env").exists():
        ls = ("rados", "-c", "/var/lib/rados/ceph.conf", "-p", "blocks", "--namespace", "cas", "ls")
        listed = Compose(layout.root).run("exec", "-T", "rados", *ls)
        return len(listed.split())
    if layout.is_full:
        conf = layout.real / "rados/ceph.conf"
        done = subprocess.run(
            ["/usr/bin/rados", "-c", str(conf), "-p", "blocks", "--namespace", "cas", "ls"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return len(done.stdout.split())
    return sum(1 for path in (layout.data / "store/cas").rglob("*") if path.is_file())


def scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="synnefo-demo-")
