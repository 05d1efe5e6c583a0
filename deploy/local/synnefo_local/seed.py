"""What a fresh cloud holds: flavors, the image `tiny`, the network `public`, a volume type and the Ganeti clusters.

Through our own APIs as user admin, idempotent, all at once. Users, projects and the catalogue are identity's bootstrap.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from synnefo_local.ganeti import Cluster
from synnefo_local.layout import LocalError
from synnefo_local.tiny_image import tiny_disk

FLAVORS = (  # id, name, vCPUs, MiB of memory, GiB of disk
    ("1", "m1.nano", 1, 128, 1),
    ("2", "m1.tiny", 1, 512, 1),
    ("3", "m1.small", 1, 2048, 20),
    ("4", "m1.medium", 2, 4096, 40),
)
PUBLIC_CIDR = "198.51.100.0/24"  # TEST-NET-2: an address of it never belongs to anybody
VOLUME_TYPE = "archipelago"

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Api:
    """A service's API with the operator's token."""

    base: str
    token: str
    project_id: str

    def __call__(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None) -> Any:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        kind = "application/octet-stream" if raw is not None else "application/json"
        headers = {"X-Auth-Token": self.token, "Content-Type": kind, "Accept": "application/json"}
        return send(urllib.request.Request(self.base + path, data, headers, method=method))[1]


def send(request: urllib.request.Request) -> tuple[Mapping[str, str], Any]:
    try:
        with _direct.open(request, timeout=60) as answer:
            text = answer.read()
            return answer.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        detail = error.read(2000).decode(errors="replace")
        raise LocalError(f"seeding: {request.method} {request.full_url} answered {error.code}: {detail}") from error
    except OSError as error:
        raise LocalError(f"seeding: {request.method} {request.full_url}: {error}") from error


def log_in(identity: str, password: str) -> tuple[str, str]:
    """Token and project id of the operator, from identity at this root URL."""
    domain = {"name": "Default"}
    body = {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "admin", "domain": domain, "password": password}},
            },
            "scope": {"project": {"name": "admin", "domain": domain}},
        }
    }
    url = f"{identity}/v3/auth/tokens"
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    answered, token = send(urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST"))
    return answered["X-Subject-Token"], token["token"]["project"]["id"]


def seed(roots: Mapping[str, str], admin_password: str, clusters: Sequence[Cluster], *, has_packets: bool = False) -> list[str]:
    """Make what is missing, each service being at its root URL; the names of what was made."""
    token, project_id = log_in(roots["identity"], admin_password)

    def api(service: str, path: str) -> Api:
        return Api(roots[service] + path, token, project_id)

    jobs: list[Callable[[], list[str]]] = [
        lambda: seed_clusters(api("dispatcher", "/v1"), clusters),
        lambda: seed_flavors(api("compute", "/v2.1")),
        lambda: seed_image(api("image", "/v2")),
        lambda: seed_network(api("network", "/v2.0"), has_packets=has_packets),
        lambda: seed_volume_type(api("volume", f"/v3/{project_id}")),
    ]
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [name for made in pool.map(lambda job: job(), jobs) for name in made]


def seed_flavors(compute: Api) -> list[str]:
    have = {flavor["name"] for flavor in compute("GET", "/flavors/detail?is_public=None")["flavors"]}
    missing = [flavor for flavor in FLAVORS if flavor[1] not in have]
    for flavor_id, name, vcpus, ram_mib, disk_gib in missing:
        body = {"id": flavor_id, "name": name, "vcpus": vcpus, "ram": ram_mib, "disk": disk_gib}
        compute("POST", "/flavors", {"flavor": body | {"os-flavor-access:is_public": True}})
    return [f"flavor {flavor[1]}" for flavor in missing]


def seed_image(image: Api) -> list[str]:
    found = [i for i in image("GET", "/images?name=tiny")["images"] if i["visibility"] == "public"]
    if found and found[0]["status"] != "queued":
        return []
    disk = tiny_disk()
    if not found:
        body = {"name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        found = [image("POST", "/images", body | {"min_disk": 0, "min_ram": 0})]
    image("PUT", f"/images/{found[0]['id']}/file", raw=disk)
    return ["image tiny"]


def seed_network(network: Api, *, has_packets: bool = False) -> list[str]:
    found = network("GET", "/networks?name=public&router:external=True")["networks"]
    if not found:
        body = {"name": "public", "router:external": True, "shared": False, "admin_state_up": True}
        if has_packets:  # the bridge of each node that leads outside
            body |= {"provider:network_type": "flat", "provider:physical_network": "physnet1"}
        found = [network("POST", "/networks", {"network": body})["network"]]
    network_id = found[0]["id"]
    if network("GET", f"/subnets?network_id={network_id}")["subnets"]:
        return []
    subnet = {"network_id": network_id, "name": "public", "ip_version": 4, "cidr": PUBLIC_CIDR, "enable_dhcp": False}
    network("POST", "/subnets", {"subnet": subnet})
    return ["network public"]


def seed_volume_type(volume: Api) -> list[str]:
    if any(kind["name"] == VOLUME_TYPE for kind in volume("GET", "/types?is_public=None")["volume_types"]):
        return []
    body = {"name": VOLUME_TYPE, "description": "Content-addressed blocks, thin clones and snapshots"}
    volume("POST", "/types", {"volume_type": body | {"os-volume-type-access:is_public": True}})
    return [f"volume type {VOLUME_TYPE}"]


def seed_clusters(dispatcher: Api, clusters: Sequence[Cluster]) -> list[str]:
    """Registered by name; a cluster that moved to another port or got a new certificate is written anew."""
    have = {cluster["name"]: cluster for cluster in dispatcher("GET", "/clusters")["clusters"]}
    made = []
    for cluster in clusters:
        known = have.get(cluster.name)
        wanted = asdict(cluster)
        if known is None:
            dispatcher("POST", "/clusters", wanted)
        elif any(known.get(key, wanted[key]) != wanted[key] for key in ("rapi_url", "username", "certificate_pem")):
            dispatcher("PUT", f"/clusters/{cluster.name}", wanted)
        else:
            continue
        made.append(f"cluster {cluster.name}")
    return made
