"""The default security group: every project has one from its first use of the network on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_network.app.services import Services
from synnefo_network.db import security_groups as db
from synnefo_network.db.default_security_group_rules import templates_for
from synnefo_network.domain.security_group import DEFAULT, Rule, default_group_id, rules_from


async def ensure_default_group(uow: UnitOfWork, svc: Services, project_id: str) -> str:
    """Its id; made with its first rules if it is not there. Neither it nor these rules count in the quota."""
    group_id = default_group_id(project_id)
    if group_id in svc.known_groups:
        return group_id
    now = svc.clock.now_us()
    row = {
        "id": group_id,
        "project_id": project_id,
        "name": DEFAULT,
        "description": "Default security group",
        "tags": "",
        "revision": 1,
        "created_at": now,
        "updated_at": now,
        "stateful": True,
        "is_default": True,
        "shared": False,
    }
    if await db.insert_group_once(uow, row):
        rules = rules_from(await templates_for(uow, is_default=True), group_id)
        await db.insert_rules(uow, rule_rows(svc, group_id, project_id, rules, is_charged=False))
    uow.after_commit(lambda: svc.known_groups.add(group_id))
    return group_id


def rule_rows(
    svc: Services,
    group_id: str,
    project_id: str,
    rules: Sequence[Rule],
    *,
    is_charged: bool,
    descriptions: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Rows of new rules of a group."""
    now = svc.clock.now_us()
    return [
        {
            "id": svc.ids.uuid(),
            "project_id": project_id,
            "description": descriptions[i] if descriptions else "",
            "tags": "",
            "revision": 0,
            "created_at": now + i,
            "updated_at": now + i,
            "security_group_id": group_id,
            "is_charged": is_charged,
            **rule.columns(),
        }
        for i, rule in enumerate(rules)
    ]
