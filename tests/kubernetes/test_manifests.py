"""`make kube-check`: every overlay renders, is valid by the schemas of Kubernetes, and whatever it names is there. No cluster is asked."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from synnefo_common.health import DEFAULT_PORTS
from synnefo_common.settings import SERVICES

ROOT = Path(__file__).resolve().parents[2]
VERSION = "1.30"
OTHERS = {"ServiceMonitor", "PodMonitor"}  # of the Prometheus operator: Kubernetes has no schema for them
GIVEN = {  # Secrets that the operator makes
    "dev": {"synnefo-tls"},
    "production": {"synnefo-tls", "synnefo-ceph", "synnefo-common", *(f"synnefo-{name}" for name in SERVICES)},
}
Document = dict[str, Any]

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.fixture(scope="module", params=sorted(GIVEN))
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def documents(overlay: str) -> list[Document]:
    path = ROOT / "deploy/kubernetes/overlays" / overlay
    done = subprocess.run(["kubectl", "kustomize", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def named(documents: list[Document], kind: str) -> dict[str, Document]:
    return {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}


def pods(documents: list[Document]) -> Iterator[tuple[str, Document, Document]]:
    """Name, labels and spec of each template of pods."""
    for document in documents:
        template = document.get("spec", {}).get("template") if document["kind"] in ("Deployment", "StatefulSet", "Job") else None
        if template:
            yield f"{document['kind']} {document['metadata']['name']}", template["metadata"]["labels"], template["spec"]


def selected(documents: list[Document], labels: Document) -> list[Document]:
    return [spec for _, found, spec in pods(documents) if labels.items() <= found.items()]


def port_names(spec: Document) -> set[str]:
    return {port["name"] for container in spec["containers"] for port in container.get("ports", ())}


def test_documents_are_valid_by_the_schemas(documents: list[Document]) -> None:
    for document in documents:
        if document["kind"] not in OTHERS:
            kubernetes_validate.validate(document, VERSION, strict=True)


def test_nothing_is_named_twice_and_all_lie_in_one_namespace(documents: list[Document]) -> None:
    names = [(d["kind"], d["metadata"]["name"]) for d in documents]
    assert sorted(names) == sorted(set(names))
    assert {d["metadata"].get("namespace") for d in documents if d["kind"] != "Namespace"} == {"synnefo"}


def test_secrets_and_config_maps_that_are_named_exist(documents: list[Document], overlay: str) -> None:
    secrets = {name: {*d.get("data", {}), *d.get("stringData", {})} for name, d in named(documents, "Secret").items()}
    maps = set(named(documents, "ConfigMap"))
    asked = {tls["secretName"] for i in named(documents, "Ingress").values() for tls in i["spec"]["tls"]}
    for where, _, spec in pods(documents):
        asked |= {volume["secret"]["secretName"] for volume in spec.get("volumes", ()) if "secret" in volume}
        for container in spec["containers"]:
            asked |= {source["secretRef"]["name"] for source in container.get("envFrom", ()) if "secretRef" in source}
            assert {source["configMapRef"]["name"] for source in container.get("envFrom", ()) if "configMapRef" in source} <= maps, where
            for variable in container.get("env", ()):
                if "valueFrom" in variable:
                    key = variable["valueFrom"]["secretKeyRef"]
                    assert key["key"] in secrets[key["name"]], where
    assert asked - set(secrets) == GIVEN[overlay]


def test_volumes_and_claims_that_are_mounted_exist(documents: list[Document]) -> None:
    claims = set(named(documents, "PersistentVolumeClaim"))
    sets = named(documents, "StatefulSet")
    templates = {f"StatefulSet {n}": {c["metadata"]["name"] for c in d["spec"]["volumeClaimTemplates"]} for n, d in sets.items()}
    for where, _, spec in pods(documents):
        volumes = spec.get("volumes", ())
        have = {volume["name"] for volume in volumes} | templates.get(where, set())
        mounted = {mount["name"] for container in spec["containers"] for mount in container.get("volumeMounts", ())}
        assert mounted == have, where
        assert {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume} <= claims, where


def test_services_find_pods_and_ports(documents: list[Document]) -> None:
    services = named(documents, "Service")
    for name, service in services.items():
        if "selector" in service["spec"]:
            found = selected(documents, service["spec"]["selector"])
            assert found, name
            for port in service["spec"]["ports"]:
                assert all(port["targetPort"] in port_names(spec) for spec in found), name
    for ingress in named(documents, "Ingress").values():
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                ports = services[backend["name"]]["spec"]["ports"]
                assert backend["port"].get("name", "http") in {port["name"] for port in ports}
    for name in SERVICES:
        assert [port["port"] for port in services[name]["spec"]["ports"]] == [DEFAULT_PORTS[name]]


def test_budgets_scalers_policies_and_monitors_find_what_they_are_for(documents: list[Document]) -> None:
    for name, budget in named(documents, "PodDisruptionBudget").items():
        assert selected(documents, budget["spec"]["selector"]["matchLabels"]), name
    deployments = named(documents, "Deployment")
    for scaler in named(documents, "HorizontalPodAutoscaler").values():
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
    for name, policy in named(documents, "NetworkPolicy").items():
        found = selected(documents, policy["spec"]["podSelector"].get("matchLabels", {}))
        assert found, name
        for rule in policy["spec"].get("ingress", ()):
            assert all({port["port"] for port in rule["ports"]} <= port_names(spec) for spec in found), name
    services = named(documents, "Service").values()
    for monitor in named(documents, "ServiceMonitor").values():
        labels = monitor["spec"]["selector"]["matchLabels"]
        chosen = [s for s in services if labels.items() <= s["metadata"]["labels"].items()]
        assert len(chosen) == len(SERVICES)
        assert all({e["port"] for e in monitor["spec"]["endpoints"]} <= {p["name"] for p in s["spec"]["ports"]} for s in chosen)
    for monitor in named(documents, "PodMonitor").values():
        found = selected(documents, monitor["spec"]["selector"]["matchLabels"])
        assert len(found) == len(SERVICES)
        assert all({e["port"] for e in monitor["spec"]["podMetricsEndpoints"]} <= port_names(spec) for spec in found)


def test_images_are_those_that_we_build(documents: list[Document]) -> None:
    script = (ROOT / "deploy/build-images").read_text()
    built = {f"synnefo/{name}" for names in re.findall(r"(?:services|parts)=\(([^)]*)\)", script) for name in names.split()}
    for where, _, spec in pods(documents):
        for container in spec["containers"]:
            name, _, tag = container["image"].removeprefix("registry.example.org/").partition(":")
            assert name in built, where
            assert tag and tag != "latest", where


def test_pods_may_do_no_more_than_they_must(documents: list[Document]) -> None:
    for where, _, spec in pods(documents):
        assert spec["securityContext"]["runAsNonRoot"] is True, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert spec["automountServiceAccountToken"] is False, where
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, where
            assert {"requests", "limits"} <= set(container["resources"]), where
            if not where.startswith("Job"):
                assert {"readinessProbe", "livenessProbe"} <= set(container), where
                probes = [container[key] for key in ("startupProbe", "readinessProbe", "livenessProbe") if key in container]
                assert {p.get("httpGet", p.get("tcpSocket"))["port"] for p in probes} <= port_names(spec), where


def test_there_is_an_api_a_worker_and_a_migration_of_every_service(documents: list[Document]) -> None:
    assert set(named(documents, "Deployment")) == {*SERVICES, *(f"{name}-worker" for name in SERVICES)}
    assert set(named(documents, "Job")) == {f"{name}-migrate" for name in SERVICES}


def test_what_the_containers_of_compose_are_told_production_is_told_too(documents: list[Document], overlay: str) -> None:
    if overlay != "production":
        pytest.skip("dev keeps to the least")
    compose = yaml.safe_load((ROOT / "deploy/compose.yml").read_text())["services"].values()
    told = {key for service in compose for key in service.get("environment", {}) if key.startswith("SYNNEFO_")}
    given = {key for config in named(documents, "ConfigMap").values() for key in config["data"]}
    given |= {variable["name"] for _, _, spec in pods(documents) for c in spec["containers"] for variable in c.get("env", ())}
    secret = set(re.findall(r"`(SYNNEFO_[A-Z_]+)`", (ROOT / "docs/kubernetes.md").read_text()))
    secret |= {key.replace("SERVICE", name.upper(), 1) for key in secret for name in SERVICES}
    of_one_machine = {"SYNNEFO_NETWORK_OVN_NORTHD_REMOTE"}  # for a northbound database of one server, which can be lost
    assert told - given - secret == of_one_machine


def test_what_the_stores_upkeep_keeps_outlives_the_pod(documents: list[Document]) -> None:
    worker = named(documents, "Deployment")["volume-worker"]["spec"]["template"]["spec"]
    mount = {m["mountPath"]: m["name"] for m in worker["containers"][0]["volumeMounts"]}["/var/lib/synnefo/volume-storage"]
    assert next(v for v in worker["volumes"] if v["name"] == mount)["persistentVolumeClaim"]["claimName"] == "volume-storage"
