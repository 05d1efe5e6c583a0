"""Every pair of states has a status, every status can be asked for, every action names states that exist."""

from __future__ import annotations

import itertools

from synnefo_compute.domain.states import ALLOWED, STATUSES, TaskState, VmState, status_of


def test_every_pair_of_states_is_shown_as_a_status_that_a_filter_knows() -> None:
    for vm_state, task_state in itertools.product(VmState, [None, *TaskState]):
        shown = status_of(vm_state, task_state)
        assert vm_state in STATUSES[shown], (vm_state, task_state, shown)


def test_no_action_is_allowed_while_building_or_when_deleted() -> None:
    for action, states in ALLOWED.items():
        assert states, action
        assert not states & {VmState.BUILDING, VmState.DELETED}, action
