"""Use cases of the rules of QoS policies: of all types alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.qos_policies import KIND, view_rule
from synnefo_network.app.services import Services, authorize, standard_values
from synnefo_network.app.sharing import load_shareable
from synnefo_network.db import qos as db
from synnefo_network.db.listing import insert_row, update_row
from synnefo_network.domain.errors import QosRuleNotFound
from synnefo_network.domain.qos import PARAMETERS, check_rule

_COLUMNS = ("direction", "max_kbps", "max_burst_kbps", "dscp_mark", "min_kbps")


async def _load_policy(uow: UnitOfWork, ctx: Context, policy_id: str, rule_type: str, action: str) -> tuple[Row[Any], list[Row[Any]]]:
    """The policy and all its rules. Raises QosPolicyNotFound, PolicyNotAuthorized: who may not make rules at all hears that first."""
    if action == "create":
        authorize(ctx, f"create_policy_{rule_type}_rule", {"project_id": ctx.project_id, "shared": False})
    row = await load_shareable(uow, ctx, KIND, policy_id)
    authorize(ctx, f"{action}_policy_{rule_type}_rule", KIND.target(row))
    return row, (await db.rules_of(uow, [policy_id]))[policy_id]


def _find(rules: list[Row[Any]], rule_id: str, *, policy_id: str, rule_type: str) -> Row[Any]:
    found = next((r for r in rules if r.id == rule_id and r.type == rule_type), None)
    if found is None:
        raise QosRuleNotFound(f"QoS rule {rule_id} for policy {policy_id} could not be found.")
    return found


async def list_rules(svc: Services, ctx: Context, policy_id: str, rule_type: str) -> list[dict[str, Any]]:
    """Raises QosPolicyNotFound."""
    async with svc.db.read() as uow:
        _, rules = await _load_policy(uow, ctx, policy_id, rule_type, "get")
    return [view_rule(r) for r in rules if r.type == rule_type]


async def show_rule(svc: Services, ctx: Context, policy_id: str, rule_id: str, *, rule_type: str) -> dict[str, Any]:
    """Raises QosPolicyNotFound, QosRuleNotFound."""
    async with svc.db.read() as uow:
        _, rules = await _load_policy(uow, ctx, policy_id, rule_type, "get")
    return view_rule(_find(rules, rule_id, policy_id=policy_id, rule_type=rule_type))


async def create_rule(svc: Services, ctx: Context, policy_id: str, given: dict[str, Any], *, rule_type: str) -> dict[str, Any]:
    """Raises QosPolicyNotFound, QoSRulesConflict, QoSRuleParameterConflict."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        policy, rules = await _load_policy(uow, ctx, policy_id, rule_type, "create")
        values = {**dict.fromkeys(_COLUMNS), **{k: given.get(k) for k in PARAMETERS[rule_type]}, "type": rule_type, "policy_id": policy_id}
        check_rule(values, rules, policy_id=policy_id)
        row = {**standard_values(svc, {}, project_id=policy.project_id), **values}
        await update_row(uow, db.qos_policies, policy, {})
        await insert_row(uow, db.qos_rules, row)
        return {"id": row["id"], **{k: row[k] for k in PARAMETERS[rule_type]}}

    return await svc.write(work)


async def update_rule(svc: Services, ctx: Context, policy_id: str, rule_id: str, given: dict[str, Any], *, rule_type: str) -> dict[str, Any]:
    """Raises QosPolicyNotFound, QosRuleNotFound, QoSRulesConflict, QoSRuleParameterConflict."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        policy, rules = await _load_policy(uow, ctx, policy_id, rule_type, "update")
        row = _find(rules, rule_id, policy_id=policy_id, rule_type=rule_type)
        values = {k: given.get(k, getattr(row, k)) for k in _COLUMNS} | {"type": rule_type}
        check_rule(values, [r for r in rules if r.id != rule_id], policy_id=policy_id)
        await update_row(uow, db.qos_policies, policy, {})
        return view_rule(await update_row(uow, db.qos_rules, row, values))

    return await svc.write(work)


async def delete_rule(svc: Services, ctx: Context, policy_id: str, rule_id: str, *, rule_type: str) -> None:
    """Raises QosPolicyNotFound, QosRuleNotFound."""

    async def work(uow: UnitOfWork) -> None:
        policy, rules = await _load_policy(uow, ctx, policy_id, rule_type, "delete")
        _find(rules, rule_id, policy_id=policy_id, rule_type=rule_type)
        await update_row(uow, db.qos_policies, policy, {})
        await db.delete_rule(uow, rule_id)

    await svc.write(work)
