"""The walk of the story: what counts as a right answer, a refusal, and something that becomes right by itself."""

import sys
from pathlib import Path

import pytest

from synnefo_local import walk as walking
from synnefo_local.layout import Layout
from synnefo_local.story import MAKE, UNMAKE, Answer, Step, StoryError, Walk, has, usage, usage_is_back, usage_rose

QUOTA = (
    '[{"Resource": "instances", "In Use": 2, "Reserved": 1}, {"Resource": "key_pairs", "In Use": "N/A", "Reserved": 0}]'
)


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    return Walk("demo-0000", tmp_path, lambda: 7)


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """A client whose answer is in the file `answer`; each call removes the file's first line."""
    script = tmp_path / "client"
    script.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        f"lines = pathlib.Path({str(tmp_path / 'answer')!r}).read_text().splitlines()\n"
        f"pathlib.Path({str(tmp_path / 'answer')!r}).write_text('\\n'.join(lines[1:] or lines[-1:]))\n"
        "code, _, text = lines[0].partition(' ')\n"
        "print(text, file=sys.stderr if int(code) else sys.stdout)\n"
        "sys.exit(int(code))\n"
    )
    script.chmod(0o755)
    return script


def test_every_name_in_the_story_can_be_filled_in(walk: Walk) -> None:
    walk.names |= {"floating_ip": "198.51.100.9"}
    for step in MAKE + UNMAKE:
        assert "{" not in walk.fill(step.command), step.title
        assert walk.fill(step.command).startswith(("openstack ", "synnefo audit"))


def test_everything_that_the_story_makes_it_also_deletes() -> None:
    def nouns(steps: tuple[Step, ...], verb: str) -> set[str]:
        return {step.command.split()[1] for step in steps if f" {verb} " in step.command}

    assert nouns(MAKE, "create") - {"floating", "object"} <= nouns(UNMAKE, "delete")


def test_failed_command_stops_the_walk_with_what_it_said(walk: Walk, client: Path, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text("1 No server with a name or ID of x exists.")
    with pytest.raises(StoryError, match="exit 1: No server with a name"):
        walking.take(Step("x", ""), str(client), walk, env={})


def test_refusal_that_the_story_expects_must_come_and_say_why(walk: Walk, client: Path, tmp_path: Path) -> None:
    step = Step("console", "", refused="409")
    (tmp_path / "answer").write_text("1 Conflict (HTTP 409): the hypervisor has no serial console")
    assert "no serial console" in walking.take(step, str(client), walk, env={})
    for wrong in ("0 a log", "1 Internal Server Error (HTTP 500)"):
        (tmp_path / "answer").write_text(wrong)
        with pytest.raises(StoryError, match="should have been refused"):
            walking.take(step, str(client), walk, env={})


def test_step_that_becomes_right_by_itself_is_asked_again(walk: Walk, client: Path, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text('0 {"status": "creating"}\n0 {"status": "available"}')
    step = Step("volume", "", has("status", "available"), eventually=True)
    assert walking.take(step, str(client), walk, env={}) == "status available"


def test_step_that_never_becomes_right_fails_at_the_deadline(
    walk: Walk, client: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "EVENTUALLY_S", 0.1)
    (tmp_path / "answer").write_text('0 {"status": "creating"}')
    with pytest.raises(StoryError, match="not 'available'"):
        walking.take(Step("volume", "", has("status", "available"), eventually=True), str(client), walk, env={})


def test_usage_counts_what_is_reserved_and_leaves_out_what_is_not_a_number() -> None:
    assert usage(Answer(0, QUOTA, "")) == {"instances": 3}


def test_usage_that_is_not_back_is_named(walk: Walk) -> None:
    with pytest.raises(StoryError, match="still used: instances 3"):
        usage_is_back(walk, Answer(0, QUOTA, ""))
    with pytest.raises(StoryError, match="instances rose by 3, not by 2"):
        usage_rose(walk, Answer(0, QUOTA, ""))
    walk.usage_before = {"instances": 3}
    assert usage_is_back(walk, Answer(0, QUOTA, "")) == "instances 3"


def test_blocks_are_counted_where_the_file_driver_keeps_them(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "embedded")
    assert walking.count_blocks(layout) == 0
    for name in ("cas/ab/abc", "cas/cd/cde", "page/ab/abc"):
        path = layout.data / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert walking.count_blocks(layout) == 2
