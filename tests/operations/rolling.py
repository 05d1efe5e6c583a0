"""Requests through the gateway while services are replaced: `SYNNEFO_STATE=… python -m tests.operations.rolling [REQUESTS]`.

Reads and writes on every service; every answer must be the expected one, at the first try. Ends with 1 if one was not.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from synnefo_local.compose import compose_root

CLIENTS = 8


@dataclass
class Tally:
    """What came of the requests."""

    wanted: int
    sent: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    is_rolling: bool = True


class Client:
    """One caller: a token, and requests one after the other."""

    def __init__(self, http: httpx.AsyncClient, tally: Tally, login: dict[str, Any], number: int) -> None:
        self.http, self.tally, self.login, self.number = http, tally, login, number
        self.url = login["auth_url"].removesuffix("/identity/v3")
        self.headers: dict[str, str] = {}
        self.project = ""

    async def log_in(self) -> None:
        user = {"name": self.login["username"], "password": self.login["password"], "domain": {"name": self.login["user_domain_name"]}}
        project = {"name": self.login["project_name"], "domain": {"name": self.login["project_domain_name"]}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}}
        answer = await self.call("POST", "/identity/v3/auth/tokens", 201, json=body)
        if answer is not None:
            self.headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
            self.project = answer.json()["token"]["project"]["id"]

    async def call(self, method: str, path: str, expect: int, **arguments: Any) -> httpx.Response | None:
        began = time.monotonic()
        self.tally.sent += 1
        try:
            answer = await self.http.request(method, self.url + path, headers=self.headers, **arguments)
        except httpx.HTTPError as error:
            self.tally.failed[f"{method} {path.split('/')[1]}: {type(error).__name__}"] += 1
            return None
        finally:
            self.tally.slowest_s = max(self.tally.slowest_s, time.monotonic() - began)
        if answer.status_code != expect:
            self.tally.failed[f"{method} {path.split('/')[1]}: {answer.status_code} {answer.text[:100]}"] += 1
        return answer

    async def work(self) -> None:
        await self.log_in()
        turn = 0
        while self.tally.sent < self.tally.wanted or self.tally.is_rolling:
            turn += 1
            name = f"roll-{self.number}-{turn}"
            account = f"/object/v1/AUTH_{self.project}"
            await self.call("GET", "/identity/v3/auth/projects", 200)
            await self.call("GET", "/compute/v2.1/servers/detail", 200)
            await self.call("GET", "/network/v2.0/networks", 200)
            await self.call("GET", "/image/v2/images", 200)
            await self.call("GET", f"/volume/v3/{self.project}/volumes/detail", 200)
            await self.call("POST", "/compute/v2.1/os-keypairs", 200, json={"keypair": {"name": name}})
            await self.call("DELETE", f"/compute/v2.1/os-keypairs/{name}", 202)
            await self.call("PUT", f"{account}/roll-{self.number}", 201 if turn == 1 else 202)
            await self.call("PUT", f"{account}/roll-{self.number}/{name}", 201, content=b"x" * 1000)
            await self.call("DELETE", f"{account}/roll-{self.number}/{name}", 204)
            if turn % 10 == 0:
                await self.log_in()
        await self.call("DELETE", f"/object/v1/AUTH_{self.project}/roll-{self.number}", 204)


async def run(root: Path, wanted: int) -> Tally:
    entry = json.loads((root / "clouds.yaml").read_text())["clouds"]["demo"]
    tally = Tally(wanted)

    async def replace() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "synnefo_local", "compose", "roll")
        code = await process.wait()
        tally.is_rolling = False
        if code:
            raise subprocess.CalledProcessError(code, "compose roll")

    async with httpx.AsyncClient(verify=entry["cacert"], timeout=60, limits=httpx.Limits(max_connections=CLIENTS)) as http:
        await asyncio.gather(replace(), *(Client(http, tally, entry["auth"], number).work() for number in range(CLIENTS)))
    return tally


def main() -> int:
    began = time.monotonic()
    tally = asyncio.run(run(compose_root(), int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
    seconds = time.monotonic() - began
    print(f"{tally.sent} requests in {seconds:.0f} s, {tally.failed.total()} failed, slowest {tally.slowest_s:.1f} s")
    for what, number in tally.failed.most_common():
        print(f"  {number} x {what}")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
