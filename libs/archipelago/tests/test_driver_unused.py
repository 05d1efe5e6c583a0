"""Marks of use, and removal of what has none: whoever touches an object keeps it, or is told that it is gone."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from synnefo_archipelago import crash
from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.drivers.file import FileDriver

KEY = "ab" * 32
ROUNDS = 60


class PowerCut(BaseException):
    """The process dies here."""


@pytest.fixture
def driver(driver: Driver) -> Driver:
    driver.touch_slack_s = 0.0
    return driver


def later() -> float:
    """A time after all that was done before, on any driver."""
    return time.time() + 2


def test_unused_object_is_removed(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"x"])
    assert driver.delete_unused(Space.CAS, KEY, later()) is True
    assert driver.touch(Space.CAS, KEY) is None
    assert list(driver.scan(Space.CAS)) == []
    assert driver.delete_unused(Space.CAS, KEY, later()) is False
    assert driver.put(Space.CAS, KEY, [b"y"]) is True
    assert driver.get(Space.CAS, KEY) == b"y"


def test_object_put_or_touched_since_stays(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"x"])
    assert driver.delete_unused(Space.CAS, KEY, time.time() - 5) is False
    time.sleep(2.1)
    since = time.time() - 1  # times are of whole seconds in places
    assert driver.touch(Space.CAS, KEY) == 1
    assert driver.delete_unused(Space.CAS, KEY, since) is False
    assert driver.get(Space.CAS, KEY) == b"x"


def test_second_put_and_write_in_place_are_uses(driver: Driver) -> None:
    driver.put(Space.CAS, KEY, [b"x"])
    driver.put(Space.PRIVATE, KEY, [b"x"])
    time.sleep(2.1)
    since = time.time() - 1
    assert driver.put(Space.CAS, KEY, [b"x"]) is False
    driver.write_at(Space.PRIVATE, KEY, [(0, b"y")])
    assert driver.delete_unused(Space.CAS, KEY, since) is False
    assert driver.delete_unused(Space.PRIVATE, KEY, since) is False


def test_listing_tells_the_last_use(driver: Driver) -> None:
    before = time.time()
    driver.put(Space.PAGE, KEY, [b"123"])
    [found] = driver.scan(Space.PAGE)
    assert (found.key, found.size) == (KEY, 3)
    assert before - 1.5 <= found.touched_at <= time.time() + 1
    time.sleep(2.1)
    driver.touch(Space.PAGE, KEY)
    [again] = driver.scan(Space.PAGE)
    assert again.touched_at > found.touched_at


def test_touch_creates_nothing(driver: Driver) -> None:
    assert driver.touch(Space.CAS, KEY) is None
    assert list(driver.scan(Space.CAS)) == []


@pytest.mark.parametrize("use", ["touch", "put"])
def test_user_and_remover_agree(driver: Driver, open_again: Callable[[], Driver], use: str) -> None:
    """Both in a race, many times: an object that the user was told of is there afterwards, whole."""
    other = open_again()
    other.touch_slack_s = 0.0
    for number in range(ROUNDS):
        key = f"{number:064x}"
        driver.put(Space.CAS, key, [b"data"])
        start = threading.Barrier(2)

        time.sleep(0.02)
        # What was used before now may go; the use that races may not.
        since = time.time() - 0.01 if not hasattr(driver, "_cluster") else time.time() + 1

        def remove(key: str = key, start: threading.Barrier = start, since: float = since) -> None:
            start.wait()
            other.delete_unused(Space.CAS, key, since)

        thread = threading.Thread(target=remove)
        thread.start()
        start.wait()
        if use == "put":
            driver.put(Space.CAS, key, [b"data"])
            known = True
        else:
            known = driver.touch(Space.CAS, key) is not None
        thread.join()
        if known and not hasattr(driver, "_cluster"):
            assert driver.get(Space.CAS, key) == b"data"
        # RADOS tells whole seconds, so here the remover may win after the use; the race at one version is below.


@pytest.mark.full
def test_rados_remover_loses_to_a_use_after_its_look(ceph_conf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from synnefo_archipelago.drivers.rados import RadosDriver

    driver = RadosDriver(ceph_conf, maps="maps", blocks="blocks", namespace=f"t{os.urandom(6).hex()}", timeout_s=20)
    driver.touch_slack_s = 0.0
    driver.put(Space.CAS, KEY, [b"x"])
    original = driver._rados.WriteOpCtx
    used: list[int | None] = []

    def use_first() -> object:
        monkeypatch.setattr(driver._rados, "WriteOpCtx", original)
        used.append(driver.touch(Space.CAS, KEY))
        return original()

    monkeypatch.setattr(driver._rados, "WriteOpCtx", use_first)
    assert driver.delete_unused(Space.CAS, KEY, later()) is False
    assert used == [1]
    assert driver.get(Space.CAS, KEY) == b"x"
    monkeypatch.setattr(driver._rados, "WriteOpCtx", original)

    def remove_first() -> object:
        monkeypatch.setattr(driver._rados, "WriteOpCtx", original)
        assert driver.delete_unused(Space.CAS, KEY, later()) is True
        return original()

    monkeypatch.setattr(driver._rados, "WriteOpCtx", remove_first)
    assert driver.touch(Space.CAS, KEY) is None
    assert list(driver.scan(Space.CAS)) == []
    driver.close()


def interrupted(driver: Driver, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(name: str) -> None:
        if name == point:
            raise PowerCut

    monkeypatch.setattr(crash, "point", stop)
    with pytest.raises(PowerCut):
        driver.delete_unused(Space.CAS, KEY, later())
    monkeypatch.undo()


def test_object_in_the_trash_is_found_by_all_who_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ask in ("get", "touch", "write_at", "truncate"):
        driver = FileDriver(tmp_path / ask)
        driver.touch_slack_s = 0.0
        driver.put(Space.CAS, KEY, [b"data"])
        interrupted(driver, "trash.rename", monkeypatch)
        if ask == "get":
            assert driver.get(Space.CAS, KEY, 1, 2) == b"at"
        elif ask == "touch":
            assert driver.touch(Space.CAS, KEY) == 4
        elif ask == "write_at":
            driver.write_at(Space.CAS, KEY, [(0, b"d")])
        else:
            driver.truncate(Space.CAS, KEY, 4)
        assert [found.key for found in driver.scan(Space.CAS)] == [KEY]
        driver.tidy(0)
        assert driver.get(Space.CAS, KEY) == b"data"
        assert list((tmp_path / ask / "trash").iterdir()) == []


def test_interrupted_removal_is_undone_and_never_hides_a_new_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FileDriver(tmp_path)
    driver.touch_slack_s = 0.0
    driver.put(Space.CAS, KEY, [b"old"])
    interrupted(driver, "trash.rename", monkeypatch)
    driver.tidy(0)
    assert driver.get(Space.CAS, KEY) == b"old"
    interrupted(driver, "trash.rename", monkeypatch)
    assert driver.put(Space.CAS, KEY, [b"new"], replace=True)
    driver.tidy(0)
    assert driver.get(Space.CAS, KEY) == b"new"
    assert driver.delete_unused(Space.CAS, KEY, later()) is True
    interrupted_after = list((tmp_path / "trash").iterdir())
    assert interrupted_after == []


def test_old_unfinished_writes_are_dropped_and_young_ones_kept(tmp_path: Path) -> None:
    driver = FileDriver(tmp_path)
    for name, age in (("old", 90_000), ("young", 10)):
        (tmp_path / "tmp" / name).write_bytes(b"x")
        os.utime(tmp_path / "tmp" / name, (time.time() - age,) * 2)
    assert driver.tidy(time.time() - 86_400) == 1
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["young"]


def test_mark_of_use_is_renewed_only_when_it_is_old(tmp_path: Path) -> None:
    driver = FileDriver(tmp_path)
    driver.put(Space.CAS, KEY, [b"x"])
    path = driver._path(Space.CAS, KEY)
    for age, renewed in ((300, False), (700, True)):
        os.utime(path, (time.time() - age,) * 2)
        driver.touch(Space.CAS, KEY)
        assert (time.time() - path.stat().st_mtime < 100) is renewed
