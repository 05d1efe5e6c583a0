"""Keys and passwords are exchanged while everything runs."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from synnefo_admin.main import app
from synnefo_common.errors import Unavailable
from synnefo_common.http import HttpClient, ServiceIdentity
from synnefo_common.settings import CommonSettings
from synnefo_common.testing import wait_until
from synnefo_dispatcher.clients.vault import Vault, VaultError
from synnefo_identity.app.bootstrap import rotate_key
from tests.fleet import CLUSTERS, Fleet


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with Fleet() as running:
        yield running


class BothPasswords(Fleet):
    """Step 1 of a change is done: compute and the dispatcher have the new password, and the present one as `service_password_old`."""

    def _settings(self, name: str) -> Any:
        settings = super()._settings(name)
        if name in ("compute", "dispatcher"):
            settings = settings.model_copy(update={"service_password": "new", "service_password_old": "pw"})
        return settings


@asynccontextmanager
async def under_load(fleet: Fleet, *, clients: int = 4) -> AsyncIterator[None]:
    """Reads and writes on all services meanwhile, compute's with calls of its own to identity; each must succeed at the first try."""
    is_over, counted = asyncio.Event(), [0] * clients

    async def work(number: int) -> None:
        project = fleet.demo.project_id
        for turn in itertools.count():
            if is_over.is_set() and turn > 3:
                return
            name = f"load-{number}-{turn}"
            await fleet.demo.json("compute", "POST", "/v2.1/os-keypairs", {"keypair": {"name": name, "public_key": PUBLIC_KEY}})
            await fleet.demo.json("network", "GET", "/v2.0/networks")
            await fleet.demo.json("image", "GET", "/v2/images")
            await fleet.demo.json("volume", "GET", f"/v3/{project}/volumes")
            await fleet.demo.json("compute", "DELETE", f"/v2.1/os-keypairs/{name}")
            if turn % 5 == 0:
                await fleet.demo.json("identity", "GET", "/v3/auth/projects")
            counted[number] = turn + 1

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(work(number))
        await wait_until(lambda: min(counted) >= 1, 20, what="all clients at work")
        yield
        before = sum(counted)
        await wait_until(lambda: sum(counted) >= before + 2 * clients, 20, what="work after the change")
        is_over.set()


PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA load"


async def test_no_request_fails_while_token_keys_are_replaced(fleet: Fleet) -> None:
    async with under_load(fleet):
        for _ in range(3):
            await rotate_key(fleet.services["identity"].app.state.services, now_old=True)
            await fleet.demo.login()
            await asyncio.sleep(0.2)
    await fleet.assert_invariants()


async def test_no_request_fails_and_jobs_end_while_service_passwords_are_changed() -> None:
    async with BothPasswords() as fleet:
        image = await fleet.demo.make_image("tiny", b"x" * 1024)
        async with under_load(fleet):
            body = {"server": {"name": "s", "flavorRef": "1", "imageRef": image}}
            server = (await fleet.demo.json("compute", "POST", "/v2.1/servers", body))["server"]["id"]
            for name in ("compute", "dispatcher"):
                found = await fleet.admin.json("identity", "GET", f"/v3/users?name={name}")
                await fleet.admin.json("identity", "PATCH", f"/v3/users/{found['users'][0]['id']}", {"user": {"password": "new"}})

            async def is_active() -> bool:
                return bool((await fleet.demo.json("compute", "GET", f"/v2.1/servers/{server}"))["server"]["status"] == "ACTIVE")

            await wait_until(is_active, 30, what="the server is active")
        await fleet.assert_invariants()


async def test_tokens_of_the_key_before_stay_good_and_new_ones_have_the_new_key(fleet: Fleet) -> None:
    keys = {key["kid"] for key in (await fleet.demo.json("identity", "GET", "/internal/v1/keys"))["keys"]}
    await rotate_key(fleet.services["identity"].app.state.services, now_old=True)
    await fleet.demo.json("compute", "GET", "/v2.1/servers")
    later = {key["kid"] for key in (await fleet.demo.json("identity", "GET", "/internal/v1/keys"))["keys"]}
    assert keys < later
    before = fleet.demo.token
    await fleet.demo.login()
    assert fleet.demo.token != before
    for service, path in (("compute", "/v2.1/servers"), ("network", "/v2.0/networks"), ("volume", f"/v3/{fleet.demo.project_id}/volumes")):
        await fleet.demo.json(service, "GET", path)


async def test_a_service_password_is_changed_under_a_service_that_knows_both(fleet: Fleet) -> None:
    urls = {"identity": "http://identity"}
    identity = ServiceIdentity("compute", "new", CommonSettings(internal_urls=urls), HttpClient(transport=fleet.transport), old_password="pw")
    assert await identity.token()  # identity knows the old one only
    users = await fleet.admin.json("identity", "GET", "/v3/users?name=compute")
    await fleet.admin.json("identity", "PATCH", f"/v3/users/{users['users'][0]['id']}", {"user": {"password": "new"}})
    identity.forget(await identity.token())
    assert await identity.token()  # and now the new one only
    only_old = ServiceIdentity("compute", "pw", CommonSettings(internal_urls=urls), HttpClient(transport=fleet.transport))
    with pytest.raises(Unavailable, match="401"):
        await only_old.token()


def renewed(vault: Vault, stored: str) -> str:
    found = vault.renew(stored)
    assert found is not None
    assert vault.renew(found) is None, "it is under the first key now"
    return found


def test_stored_rapi_passwords_outlive_the_service_password_they_were_encrypted_under() -> None:
    stored = Vault("", service_password="old").encrypt("rapi")
    with pytest.raises(VaultError):
        Vault("", service_password="new").decrypt(stored)
    during = Vault("", service_password="new", service_password_old="old")
    assert during.decrypt(stored) == "rapi"
    assert Vault("", service_password="new").decrypt(renewed(during, stored)) == "rapi"


def test_a_secret_key_can_be_introduced_and_exchanged() -> None:
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    stored = Vault("", service_password="pw").encrypt("rapi")
    under_first = renewed(Vault(first, service_password="pw"), stored)
    assert Vault(first, service_password="other").decrypt(under_first) == "rapi"
    again = renewed(Vault(f"{second},{first}", service_password="other"), under_first)
    assert Vault(second, service_password="other").decrypt(again) == "rapi"
    with pytest.raises(VaultError):
        Vault(first, service_password="other").decrypt(again)


async def test_rapi_credentials_are_exchanged_while_jobs_are_under_way(fleet: Fleet) -> None:
    image = await fleet.demo.make_image("tiny", b"x" * 1024)
    body = {"server": {"name": "s", "flavorRef": "1", "imageRef": image}}
    servers = [(await fleet.demo.json("compute", "POST", "/v2.1/servers", body))["server"]["id"] for _ in range(4)]
    for name in CLUSTERS:
        facts = fleet.cluster_facts(name)
        await fleet.admin.json("dispatcher", "PUT", f"/v1/clusters/{name}", {"username": facts["user"], "password": facts["password"]})

    async def all_active() -> bool:
        found = [(await fleet.demo.json("compute", "GET", f"/v2.1/servers/{i}"))["server"]["status"] for i in servers]
        assert "ERROR" not in found
        return found == ["ACTIVE"] * len(servers)

    await wait_until(all_active, 30, what="all servers active")
    await fleet.assert_invariants()


async def test_wrong_rapi_credentials_are_refused_and_change_nothing(fleet: Fleet) -> None:
    async def alpha() -> dict[str, object]:
        found: dict[str, object] = (await fleet.admin.json("dispatcher", "GET", "/v1/clusters/alpha"))["cluster"]
        return found

    with pytest.raises(AssertionError, match="401 Unauthorized"):
        await fleet.admin.json("dispatcher", "PUT", "/v1/clusters/alpha", {"password": "nonsense"})
    assert (await alpha())["online"]
    await fleet.admin.json("dispatcher", "PUT", "/v1/clusters/alpha", {"password": fleet.cluster_facts("alpha")["password"]})
    assert (await alpha())["online"]


def test_the_command_needs_something_to_change() -> None:
    done = CliRunner().invoke(app, ["cluster", "set", "alpha"])
    assert done.exit_code == 1
    assert "nothing to change" in done.output
