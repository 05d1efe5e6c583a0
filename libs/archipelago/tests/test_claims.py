"""A store is one pool's, and says so to whoever opens it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from synnefo_archipelago import Store, StoreClaimed
from synnefo_archipelago.api import Driver


def test_a_store_keeps_its_pool_and_its_mark(driver: Driver) -> None:
    with Store(driver) as store:
        assert store.mark() is None
        mark = store.claim(["gold"])
        assert mark and store.mark() == mark == store.claim(["gold"])


def test_another_pool_is_refused_and_changes_nothing(driver: Driver) -> None:
    with Store(driver) as store:
        mark = store.claim(["gold"])
        with pytest.raises(StoreClaimed, match="'gold', not of 'silver'"):
            store.claim(["silver"])
        assert store.mark() == mark


def test_a_pool_that_was_renamed_is_known_by_its_alias(driver: Driver) -> None:
    with Store(driver) as store:
        assert store.claim(["gold"]) == store.claim(["platinum", "gold"])


def test_all_that_claim_at_once_get_one_mark(driver: Driver) -> None:
    with Store(driver) as store, ThreadPoolExecutor(8) as executor:
        assert len(set(executor.map(lambda _: store.claim(["gold"]), range(8)))) == 1
