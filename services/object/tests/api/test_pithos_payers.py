"""A project that pays for a container in another's account: its limit, its usage, and the way back."""

import json

from services.object.tests.pithos import P, S, put

from synnefo_common.testing import Harness, wait_until

MINE, OTHERS = Harness.project_id, Harness.other_project_id
ACL = {"X-Account-Access-Control": json.dumps({"admin": [OTHERS]})}


def used(h: Harness) -> dict[str, int]:
    """What the ledger has been told, by project: commissions that were accepted, and reports."""
    told = {MINE: 0, OTHERS: 0}
    for commission in h.quota.accepted.values():
        told[commission.project_id] += commission.provisions.get("object.bytes", 0)
    for event in h.events_of("quota.adjusted"):
        told[event["project_id"]] += event["provisions"].get("object.bytes", 0)
    return told


async def reaches(h: Harness, mine: int, others: int) -> None:
    async def told() -> bool:
        return used(h) == {MINE: mine, OTHERS: others}

    await wait_until(told, 10, what=f"{mine} and {others}, not {used(h)}")
    facts = (await h.as_admin().get("/admin/v1/audit")).json()
    held = {project: found["object.bytes"] for project, found in facts["usage"].items()}
    assert (held.get(MINE, 0), held.get(OTHERS, 0)) == (mine, others)


async def test_a_container_is_paid_for_by_another_project_and_back(h: Harness) -> None:
    me, payer = h.as_member(), h.as_project()
    await me.put(f"{P}/c")
    await me.put(f"{P}/own")
    await put(me, f"{P}/c/o", b"x" * 100)
    await put(me, f"{P}/own/o", b"x" * 7)
    await reaches(h, 107, 0)
    project = {"X-Container-Policy-Project": OTHERS}
    assert (await me.post(f"{P}/c?update", headers=project)).status_code == 403  # not with a token of one's own project
    assert (await payer.post(f"{P}/c?update", headers=project)).status_code == 403  # not a stranger's container
    assert (await me.post(S, headers=ACL)).status_code == 204
    assert (await payer.post(f"{P}/c?update", headers=project)).status_code == 202
    assert (await me.head(f"{P}/c")).headers["x-container-policy-project"] == OTHERS
    await reaches(h, 7, 100)
    await put(me, f"{P}/c/p", b"x" * 30)
    await reaches(h, 7, 130)
    assert (await me.head(P)).headers["x-account-bytes-used"] == "137"  # it is still in this account
    assert (await me.post(f"{P}/c?update", headers={"X-Container-Policy-Project": ""})).status_code == 202
    await reaches(h, 137, 0)
    assert "x-container-policy-project" not in (await me.head(f"{P}/c")).headers


async def test_the_paying_projects_limit_counts(h: Harness) -> None:
    me, payer = h.as_member(), h.as_project()
    h.quota.project_limits[OTHERS] = {"object.bytes": 1000}
    await me.put(f"{P}/own")
    assert (await me.post(S, headers=ACL)).status_code == 204
    assert (await payer.put(f"{P}/c", headers={"X-Container-Policy-Project": OTHERS})).status_code == 201
    await put(me, f"{P}/c/o", b"x" * 900)
    await reaches(h, 0, 900)
    refused = await me.put(f"{P}/c/p", content=b"x" * 200, headers={"Content-Type": "text/plain"})
    assert refused.status_code == 413
    await put(me, f"{P}/own/p", b"x" * 2000)
    await reaches(h, 2000, 900)
    assert (await me.delete(f"{P}/c?delimiter=/")).status_code == 204
    assert (await me.delete(f"{P}/c")).status_code == 204
    await reaches(h, 2000, 0)
