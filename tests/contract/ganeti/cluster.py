"""A cluster under contract, seen raw: what goes over the wire, not what our client makes of it.

For: the tests of this folder, the same on the fake and on the real Ganeti. Not for: other suites; use the RAPI client.
"""

import base64
import http.client
import itertools
import json
import ssl
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

FINAL = ("success", "error", "canceled")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    value: Any


@dataclass
class Cluster:
    kind: str
    url: str
    user: str
    password: str
    reader: str
    reader_password: str
    certificate: str
    job_timeout_s: float = 60.0
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def name(self) -> str:
        return f"snf-{next(self._numbers)}"

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        content_type: str | None = "application/json",
        auth: tuple[str, str] | None = ("", ""),
    ) -> Answer:
        """`auth`: the writing user by default, None for nobody."""
        content = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        headers = {}
        if auth is not None:
            user, password = auth if auth[0] else (self.user, self.password)
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if content is not None and content_type is not None:
            headers["Content-Type"] = content_type
        parts = urlsplit(self.url)
        context = ssl.create_default_context(cafile=self.certificate)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(str(parts.hostname), parts.port, context=context, timeout=60)
        try:
            connection.request(method, path, body=content, headers=headers)
            response = connection.getresponse()
            text = response.read()
            answered = {key.lower(): value for key, value in response.getheaders()}
        finally:
            connection.close()
        try:
            value = json.loads(text)
        except ValueError:
            value = text.decode()
        return Answer(response.status, answered, value)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.value

    def submit(self, method: str, path: str, body: Any = None) -> int:
        answer = self.call(method, path, body)
        assert answer.status == 200, answer
        assert isinstance(answer.value, int), answer
        return answer.value

    def finish(self, job_id: int) -> dict[str, Any]:
        deadline = time.monotonic() + self.job_timeout_s
        while time.monotonic() < deadline:
            job = self.get(f"/2/jobs/{job_id}")
            if job["status"] in FINAL:
                assert isinstance(job, dict)
                return job
            time.sleep(0.02 if self.kind == "fake" else 0.15)
        raise AssertionError(f"job {job_id} did not end in {self.job_timeout_s} s")

    def run(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return self.finish(self.submit(method, path, body))

    def succeed(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        job = self.run(method, path, body)
        assert job["status"] == "success", job["opresult"]
        return job

    def fail(self, method: str, path: str, body: Any = None) -> list[Any]:
        """The error of a job that ends in error: `[type, [message, code]]`."""
        job = self.run(method, path, body)
        assert job["status"] == "error", job
        assert job["opstatus"][-1] == "error"
        error = next(result for result in job["opresult"] if result)
        assert isinstance(error, list)
        return error

    def instance(self, name: str) -> dict[str, Any]:
        value = self.get(f"/2/instances/{name}")
        assert isinstance(value, dict)
        return value

    def node(self) -> str:
        return str(self.get("/2/nodes")[0]["id"])

    def spec(self, **changes: Any) -> dict[str, Any]:
        """A creation that succeeds; a change to None leaves the key out."""
        spec = {
            "__version__": 1,
            "mode": "create",
            "instance_name": self.name(),
            "disk_template": "diskless",
            "disks": [],
            "nics": [],
            "os_type": "synnefo-image+default",
            "pnode": self.node(),
            "hypervisor": "fake",
            "beparams": {"vcpus": 1, "maxmem": 16, "minmem": 16},
            "name_check": False,
            "ip_check": False,
            "conflicts_check": False,
            "wait_for_sync": False,
        }
        spec.update(changes)
        return {key: value for key, value in spec.items() if value is not None}

    def make(self, **changes: Any) -> str:
        spec = self.spec(**changes)
        self.succeed("POST", "/2/instances", spec)
        return str(spec["instance_name"])

    def make_ext(self, *disk_names: str, **changes: Any) -> str:
        disks = [{"size": 64, "provider": "archipelago", "name": name} for name in disk_names]
        return self.make(disk_template="ext", disks=disks, **changes)

    def modify(self, name: str, **changes: Any) -> dict[str, Any]:
        return self.succeed("PUT", f"/2/instances/{name}/modify", changes)

    def fail_modify(self, name: str, **changes: Any) -> list[Any]:
        return self.fail("PUT", f"/2/instances/{name}/modify", changes)
