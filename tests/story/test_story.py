"""The main job from log-in to an empty quota, by the real client, in each way to run the cloud."""

import os
from pathlib import Path

import pytest
from tests.stack import Stack, why_not
from tests.story import landing

from synnefo_local.story import MAKE, UNMAKE, Step
from synnefo_local.walk import new_walk, walk_story

WAYS = [
    pytest.param("embedded", "fake", id="embedded"),
    pytest.param("full", "fake", id="full-fake", marks=pytest.mark.full),
    pytest.param("full", "real", id="full-real", marks=pytest.mark.full),
]
# Of the seeded project only the default security group and its rules may count before anything is made.
COUNTED_FROM_THE_START = {"secgroups", "secgroup-rules"}


@pytest.mark.slow
@pytest.mark.xdist_group("stack")  # one whole cloud at a time
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("profile", "ganeti"), WAYS)
def test_a_user_walks_from_login_to_an_empty_quota(profile: str, ganeti: str, tmp_path: Path) -> None:
    if reason := why_not(profile, ganeti):
        pytest.skip(reason)
    with Stack(profile, ganeti) as stack:
        walk = new_walk(stack.layout, tmp_path)
        walk_story(stack.layout, MAKE, walk, report=show, environ=os.environ)
        if ganeti == "real":
            landing.assert_landed(stack, walk.prefix)
        walk_story(stack.layout, UNMAKE, walk, report=show, environ=os.environ)
        if ganeti == "real":
            assert list(landing.instances(stack.layout)) == []
        left = {name for name, n in walk.usage_before.items() if n} - COUNTED_FROM_THE_START
        assert not left, f"a fresh project uses {left}"


def show(step: Step, command: str, line: str, seconds: float) -> None:
    print(f"{seconds:6.1f} s  {step.title}: {command}\n          {line}")
