"""The collector: everything that is referred to stays, everything else goes, whoever races and whenever it is killed."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from libs.archipelago.tests.owners import Ahead, FakeOwner

from synnefo_archipelago import CorruptData, Root, Store, crash
from synnefo_archipelago.api import Space
from synnefo_archipelago.gc import Collector, GcReport
from synnefo_archipelago.pace import Pace, Stopped
from synnefo_archipelago.survey import IncompleteSurvey, RootPage, Surveyed, Sweepable

BLOCK = 256 << 10
BOTH = frozenset({"image", "object"})


class Cloud:
    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.store.driver.touch_slack_s = 0.0
        self.image, self.object = FakeOwner(), FakeOwner()

    def collector(self, *, clock: Callable[[], float] | None = None, grace_s: float = 0, pace: Pace | None = None) -> Collector:
        return Collector(
            self.store, {"image": self.image, "object": self.object}, self.folder, required=BOTH, grace_s=grace_s,
            clock=clock or Ahead(), pace=pace,
        )  # fmt: skip

    def run(self, *, dry_run: bool = False) -> GcReport:
        return self.collector().run(dry_run=dry_run)

    def put(self, data: bytes, *, block_size: int | None = None) -> Root:
        writer = self.store.writer(block_size=block_size)
        writer.write(data)
        return writer.finish()

    def count(self) -> tuple[int, int, int]:
        stats = self.store.stats()
        return stats.cas_blocks, stats.pages, stats.private_blocks


@pytest.fixture
def cloud(store: Store, tmp_path: Path) -> Cloud:
    return Cloud(store, tmp_path / "work")


def total(counts: dict[str, dict[str, int]]) -> int:
    return sum(count["objects"] for count in counts.values())


def test_what_no_root_needs_goes_in_the_second_epoch(cloud: Cloud, rng: random.Random) -> None:
    keep, lose = rng.randbytes(3 * BLOCK), rng.randbytes(2 * BLOCK)
    kept = cloud.put(keep)
    cloud.put(lose)
    cloud.object.keep("a", kept)
    first = cloud.run()
    assert (total(first.condemned), total(first.freed), first.condemned["cas"]["objects"]) == (2, 0, 2)
    assert cloud.count()[0] == 5
    second = cloud.run()
    assert (total(second.condemned), total(second.freed)) == (0, 2)
    assert second.freed["cas"]["bytes"] > 2 * BLOCK
    assert cloud.count()[0] == 3
    assert cloud.store.read(kept, 0, kept.size) == keep


def test_pages_and_private_chains_are_followed(cloud: Cloud, another_store: Callable[[], Store], rng: random.Random) -> None:
    store = cloud.store
    base = rng.randbytes(100 * 4096)
    image = cloud.put(base, block_size=4096)  # has a page
    base_large = cloud.put(rng.randbytes(2 * BLOCK))
    store.create_volume("vol", 2 * BLOCK, base_large)
    content = bytearray(store.read(base_large, 0, 2 * BLOCK))
    for number in range(4):  # partial blocks over partial blocks over the image's
        with store.open_volume("vol", owner="test") as volume:
            volume.write(number * 70_000, bytes([number + 1]) * 10)
        content[number * 70_000 : number * 70_000 + 10] = bytes([number + 1]) * 10
        shot = store.snapshot_volume("vol")
    store.delete_volume("vol")
    cloud.image.keep("image", image)
    cloud.object.keep("shot", shot)
    for _ in range(3):
        cloud.run()
    again = another_store()
    assert again.read(shot, 0, 2 * BLOCK) == content
    assert again.read(image, 0, image.size) == base
    cloud.object.drop("shot")
    cloud.image.drop("image")
    for _ in range(2):
        cloud.run()
    assert cloud.count() == (0, 0, 0)


def test_live_volume_is_a_root(cloud: Cloud, rng: random.Random) -> None:
    data = rng.randbytes(2 * BLOCK)
    cloud.store.create_volume("vol", 2 * BLOCK, cloud.put(data))
    with cloud.store.open_volume("vol", owner="test") as volume:
        volume.write(5, b"changed")
        volume.flush()
        for _ in range(3):
            cloud.run()
        assert volume.read(0, 2 * BLOCK) == data[:5] + b"changed" + data[12:]
    cloud.store.delete_volume("vol")
    for _ in range(2):
        cloud.run()
    assert cloud.count() == (0, 0, 0)


def test_dry_run_tells_and_changes_nothing(cloud: Cloud, rng: random.Random) -> None:
    cloud.put(rng.randbytes(2 * BLOCK))
    for _ in range(3):
        report = cloud.run(dry_run=True)
        assert (report.condemned["cas"]["objects"], total(report.freed)) == (2, 0)
    cloud.run()
    report = cloud.run(dry_run=True)
    assert report.freed["cas"]["objects"] == 2 and report.freed["cas"]["bytes"] > 2 * BLOCK
    assert cloud.count()[0] == 2
    assert total(cloud.run().freed) == 2


def test_upload_within_the_grace_time_stays(cloud: Cloud, rng: random.Random) -> None:
    data = rng.randbytes(BLOCK)
    root = cloud.put(data)
    for _ in range(3):
        report = cloud.collector(clock=time.time, grace_s=3600).run()
        assert total(report.young) == 1
    cloud.object.keep("late", root)
    cloud.run()
    assert cloud.store.read(root, 0, BLOCK) == data


def test_upload_of_a_condemned_block_saves_it(cloud: Cloud, rng: random.Random) -> None:
    data = rng.randbytes(BLOCK)
    cloud.put(data)
    cloud.collector(clock=time.time, grace_s=-2).run()
    time.sleep(2.1)
    root = cloud.put(data)
    report = cloud.collector(clock=time.time, grace_s=-2).run()
    assert total(report.freed) == 0
    cloud.object.keep("a", root)
    cloud.run()
    assert cloud.store.read(root, 0, BLOCK) == data


@pytest.mark.parametrize("answer", ["silent", "stuck", "short"])
def test_owner_that_does_not_tell_all_stops_every_sweep(cloud: Cloud, rng: random.Random, answer: str) -> None:
    root = cloud.put(rng.randbytes(BLOCK))
    cloud.run()
    cloud.object.keep("a", root)
    good = cloud.object.page
    if answer == "silent":
        cloud.object.is_silent = True
    elif answer == "stuck":
        cloud.object.page = lambda epoch, after: RootPage([], after, False)  # type: ignore[method-assign]
    else:
        cloud.object.page = lambda epoch, after: RootPage([], None, False)  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises((IncompleteSurvey, ConnectionError)):
            cloud.run()
    assert cloud.count()[0] == 1
    cloud.object.page, cloud.object.is_silent = good, False  # type: ignore[method-assign]
    assert total(cloud.run().live) == 1


def test_right_to_sweep_cannot_be_had_without_every_owner(cloud: Cloud) -> None:
    with pytest.raises(IncompleteSurvey):
        Surveyed(object(), None, {"complete": ["image", "object", "store"]})  # type: ignore[arg-type]
    with pytest.raises(IncompleteSurvey):
        Sweepable(object(), required=BOTH)  # type: ignore[arg-type]
    only = Collector(cloud.store, {"image": cloud.image}, cloud.folder, required=BOTH, grace_s=0, clock=Ahead())
    with pytest.raises(IncompleteSurvey, match="object"):
        only.run()
    nobody = Collector(cloud.store, {}, cloud.folder, required=frozenset(), grace_s=0, clock=Ahead())
    with pytest.raises(IncompleteSurvey):
        nobody.run()


@pytest.mark.parametrize("space", [Space.PAGE, Space.PRIVATE])
def test_damage_on_the_way_to_blocks_stops_the_sweep(cloud: Cloud, rng: random.Random, space: Space) -> None:
    if space is Space.PAGE:
        cloud.object.keep("a", cloud.put(rng.randbytes(100 * 4096), block_size=4096))
    else:
        cloud.store.create_volume("vol", BLOCK, cloud.put(rng.randbytes(BLOCK)))
        with cloud.store.open_volume("vol", owner="test") as volume:
            volume.write(0, b"x")
    before = cloud.count()
    [(key, size)] = cloud.store.driver.iter(space)
    whole = cloud.store.driver.get(space, key)
    cloud.store.driver.put(space, key, [bytes(size)], replace=True)
    for _ in range(3):
        with pytest.raises(IncompleteSurvey, match=key):
            cloud.run()
    assert cloud.count() == before
    cloud.store.driver.put(space, key, [whole], replace=True)
    for _ in range(3):
        cloud.run()
    assert cloud.count() == before


class Hopping(FakeOwner):
    """Moves a root to another owner just after that one was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.hop: Callable[[], None] = lambda: None

    def page(self, epoch: int, after: str) -> RootPage:
        self.hop()
        return super().page(epoch, after)


def test_root_that_moves_to_who_was_asked_already_is_not_lost(cloud: Cloud, rng: random.Random) -> None:
    data = rng.randbytes(100 * 4096)
    root = cloud.put(data, block_size=4096)
    cloud.object = Hopping()
    cloud.object.keep("a", root)
    turn = 0

    def hop() -> None:  # between the answers of `image` and `object`: a copy at image, then the source goes
        nonlocal turn
        turn += 1
        if "a" in cloud.object.roots:
            cloud.store.hold(root)
            cloud.image.keep(f"{turn}", root)
            cloud.object.drop("a")

    cloud.object.hop = hop
    for _ in range(4):
        # The grace time is over for all but what is used while the survey runs.
        cloud.collector(clock=time.time, grace_s=0).run()
        assert cloud.store.read(root, 0, root.size) == data
        with cloud.image.lock:
            cloud.image.roots.clear()
        cloud.object.keep("a", root)  # and back, before the next survey
        time.sleep(1.1)


class Killed(BaseException):
    """The process dies here."""


def test_killed_at_every_checkpoint_it_goes_on(cloud: Cloud, rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    for number in range(5):
        data = rng.randbytes(2 * BLOCK)
        kept.append((cloud.put(data), data))
        cloud.object.keep(f"k{number}", kept[-1][0])
    deep = cloud.put(rng.randbytes(80 * 4096), block_size=4096)
    cloud.image.keep("deep", deep)
    cloud.store.create_volume("vol", 2 * BLOCK, kept[0][0])
    with cloud.store.open_volume("vol", owner="test") as volume:
        volume.write(0, b"private")
    cloud.put(rng.randbytes(3 * BLOCK))
    before = cloud.count()
    stops, at = [0], [0]

    def point(name: str) -> None:
        if name in ("survey.checkpoint", "gc.swept", "gc.checkpoint", "trash.rename", "trash.unlink"):
            at[0] += 1
            if at[0] == stops[0]:
                raise Killed

    monkeypatch.setattr(crash, "point", point)
    done = 0
    while done < 2:
        stops[0] += 1
        at[0] = 0
        try:
            cloud.run()
        except Killed:
            continue
        done += 1
        stops[0] = 0
    assert cloud.count() == (before[0] - 3, before[1], before[2])
    monkeypatch.undo()
    cloud.run()
    for root, data in kept:
        assert cloud.store.read(root, 0, root.size) == data
    assert len(cloud.store.read(deep, 0, deep.size)) == deep.size


def test_it_keeps_its_pace_and_stops_when_told(cloud: Cloud, rng: random.Random) -> None:
    for number in range(20):
        cloud.object.keep(str(number), cloud.put(rng.randbytes(1000)))
    naps: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    cloud.collector(pace=Pace(objects_per_s=10, sleep=sleep, monotonic=lambda: now[0])).run()
    assert now[0] >= 4  # twenty roots and twenty objects, ten in a second
    assert max(naps) <= 0.5
    told = [False]
    with pytest.raises(Stopped):
        cloud.collector(pace=Pace(report=lambda p: told.__setitem__(0, p.phase == "pages"), should_stop=lambda: told[0])).run()
    told[0] = False
    assert total(cloud.run().live) == 20


def test_clone_of_a_root_whose_blocks_are_gone_is_refused(cloud: Cloud, rng: random.Random) -> None:
    root = cloud.put(rng.randbytes(BLOCK))
    cloud.run()
    cloud.run()
    with pytest.raises(CorruptData):
        cloud.store.create_volume("vol", BLOCK, root)
    assert list(cloud.store.list_volumes()) == []
