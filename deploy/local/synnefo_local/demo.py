"""`make demo`: the story, told on the terminal."""

import os
import time
from pathlib import Path

from synnefo_local.infra import packet_names
from synnefo_local.layout import Layout, LocalError
from synnefo_local.packet_story import PACKETS
from synnefo_local.story import MAKE, UNMAKE, Step, StoryError
from synnefo_local.walk import new_walk, scratch, walk_story


def show(step: Step, command: str, line: str, seconds: float) -> None:
    print(f"\n# {step.title}\n$ {command}\n  {line}   ({seconds:.1f} s)", flush=True)


def run_demo(layout: Layout, *, keep: bool = False) -> int:
    """Walk the main job against the running cloud; with `keep` what it made stays."""
    if not (layout.root / "clouds.yaml").exists():
        raise LocalError("no cloud here yet: make up")
    began = time.monotonic()
    with scratch() as folder:
        walk = new_walk(layout, Path(folder))
        names = packet_names(layout)
        walk.names |= names or {}
        made = MAKE + PACKETS if names else MAKE
        try:
            walk_story(layout, made if keep else made + UNMAKE, walk, report=show, environ=os.environ)
        except StoryError as error:
            print(f"\n# FAILED\n{error}\n\nWhat this walk made is named {walk.prefix}-*; `make logs` has the rest.")
            return 1
    print(f"\nThe walk took {time.monotonic() - began:.0f} s, most of it to start the client again for each step.")
    return 0
