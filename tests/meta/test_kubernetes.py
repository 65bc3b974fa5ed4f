"""The Kubernetes manifests fit each other, tracer and the restricted pod security standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.app import ROUTERS
from tests.support.deploy import DEPLOY, PORTS, STOP_S, UID, documents, merged
from tracer import __version__
from tracer.settings import load
from tracer.units import size_bytes

Manifest = dict[str, Any]
NAME = "app.kubernetes.io/name"
HERE = DEPLOY / "kubernetes"
FILES = sorted(HERE.glob("*/*.yaml"))
ROUTES = {getattr(route, "path", "") for router in ROUTERS for route in router.routes}


def every(kind: str, directory: str) -> list[Manifest]:
    """Manifests of this kind in the files of a directory."""
    return [
        one
        for path in sorted((HERE / directory).glob("*.yaml"))
        for one in documents(path)
        if one["kind"] == kind
    ]


def _workloads() -> dict[str, Manifest]:
    (pod,) = documents(HERE / "cluster" / "pod.yaml")
    roles = [one for one in every("Deployment", "cluster") if one["metadata"] != pod["metadata"]]
    made = [*every("StatefulSet", "base"), *(merged(pod, role) for role in roles)]
    return {one["metadata"]["name"]: one for one in made}


WORKLOADS = _workloads()
SERVICES = {
    "base": every("Service", "base"),
    # In the cluster the services of the base are patched.
    "cluster": [
        merged(one, patch)
        for one in every("Service", "base")
        for patch in documents(HERE / "cluster" / "services.yaml")
        if patch["metadata"]["name"] == one["metadata"]["name"]
    ]
    + documents(HERE / "cluster" / "query.yaml")[1:],
}


def container(workload: Manifest) -> Manifest:
    """Its only container."""
    (only,) = workload["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def ports(workload: Manifest) -> dict[str, int]:
    """Named ports of its container."""
    return {port["name"]: port["containerPort"] for port in container(workload)["ports"]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_is_named_by_its_kustomization_and_binds_to_no_namespace(path: Path) -> None:
    (kustomization,) = documents(path.parent / "kustomization.yaml")
    named = {
        *kustomization["resources"],
        *(one["path"] for one in kustomization.get("patches", ())),
    }
    assert path.name in {*named, "kustomization.yaml"}
    for one in documents(path):
        assert one["apiVersion"]
        assert path.name == "kustomization.yaml" or one["metadata"]["name"]
        assert "namespace" not in one.get("metadata", {})


@pytest.mark.parametrize("directory", ["base", "cluster"])
def test_the_image_is_of_this_version(directory: str) -> None:
    (kustomization,) = documents(HERE / directory / "kustomization.yaml")
    (image,) = kustomization["images"]
    assert (image["name"], image["newTag"]) == ("tracer", __version__)
    assert all(container(one)["image"] == "tracer" for one in WORKLOADS.values())


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_finds_its_pods_and_may_do_nothing_more(name: str) -> None:
    spec = WORKLOADS[name]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False  # a service called tracer makes variables TRACER_…
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == UID
    assert f"USER {UID}:{UID}" in (DEPLOY / "Dockerfile").read_text()
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(WORKLOADS[name])["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_is_probed_where_it_answers_and_has_time_to_store(name: str) -> None:
    one = container(WORKLOADS[name])
    for probe, path in (("startup", "live"), ("liveness", "live"), ("readiness", "ready")):
        asked = one[f"{probe}Probe"]["httpGet"]
        assert asked["path"] in ROUTES
        assert asked["path"].endswith(path)
        assert asked["port"] in ports(WORKLOADS[name])
    wait_s = int(one["lifecycle"]["preStop"]["exec"]["command"][1])
    grace_s = WORKLOADS[name]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_s > wait_s + STOP_S
    assert ports(WORKLOADS[name]).items() <= PORTS.items()


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_is_mounted_exists_and_nothing_secret_is_a_variable(name: str) -> None:
    spec = WORKLOADS[name]["spec"]
    volumes = {one["name"] for one in spec["template"]["spec"].get("volumes", ())}
    volumes |= {one["metadata"]["name"] for one in spec.get("volumeClaimTemplates", ())}
    mounts = {one["mountPath"]: one["name"] for one in container(WORKLOADS[name])["volumeMounts"]}
    assert set(mounts.values()) == volumes
    variables = {one["name"]: one.get("value") for one in container(WORKLOADS[name])["env"]}
    assert "TRACER_STORE" not in variables
    for path in (variables["TRACER_CONFIG"], variables.get("TRACER_STORE_FILE")):
        assert path is None or str(Path(path).parent) in mounts


@pytest.mark.parametrize(
    ("where", "service"),
    [(where, one) for where, many in SERVICES.items() for one in many],
    ids=lambda one: one if isinstance(one, str) else one["metadata"]["name"],
)
def test_a_service_leads_to_ports_that_are_open(where: str, service: Manifest) -> None:
    selector = service["spec"]["selector"].items()
    size = {"base": "StatefulSet", "cluster": "Deployment"}[where]
    behind = [
        one
        for one in WORKLOADS.values()
        if one["kind"] == size and selector <= one["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert behind
    offered = [port for port in service["spec"]["ports"] if port.get("$patch") != "delete"]
    assert offered
    for port in offered:
        assert port["port"] == PORTS[port["targetPort"]]
        assert all(port["targetPort"] in ports(one) for one in behind)


def test_the_pods_settings_load_and_fit_the_pod() -> None:
    settings = load({}, {}, str(HERE / "base" / "tracer.toml"))
    pod = container(WORKLOADS["tracer"])
    mounts = {one["mountPath"] for one in pod["volumeMounts"]}
    assert settings.data in mounts
    assert (settings.host, settings.allow_unauthenticated) == ("0.0.0.0", True)
    assert size_bytes(pod["resources"]["limits"]["memory"] + "B") >= 2 * settings.engine_memory
    assert WORKLOADS["tracer"]["spec"]["replicas"] == 1
    (volume,) = WORKLOADS["tracer"]["spec"]["volumeClaimTemplates"]
    size = size_bytes(volume["spec"]["resources"]["requests"]["storage"] + "B")
    assert 0 < settings.disk_budget <= 0.9 * size


def test_the_settings_of_the_roles_load_beside_a_store() -> None:
    (kustomization,) = documents(HERE / "cluster" / "kustomization.yaml")
    (made,) = kustomization["configMapGenerator"]
    assert (made["name"], made["behavior"], made["files"]) == ("tracer", "replace", ["tracer.toml"])
    for role in ("receive", "analyse", "query"):
        url = {"store": "clickhouse://tracer@clickhouse/tracer", "role": role}
        settings = load(url, {}, str(HERE / "cluster" / "tracer.toml"))
        assert (settings.host, settings.allow_unauthenticated) == ("0.0.0.0", True)


def test_who_may_come_is_said_for_every_port() -> None:
    (policy,) = every("NetworkPolicy", "base")
    assert policy["spec"]["podSelector"]["matchLabels"] == {NAME: "tracer"}
    allowed = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert allowed == set(PORTS)
    (budget,) = every("PodDisruptionBudget", "base")
    assert budget["spec"]["selector"]["matchLabels"] == {NAME: "tracer"}


def test_what_scales_exists_and_what_is_scraped_too() -> None:
    (scaler,) = every("HorizontalPodAutoscaler", "cluster")
    assert scaler["spec"]["scaleTargetRef"]["name"] in WORKLOADS
    (monitor,) = every("ServiceMonitor", "monitoring")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["path"] in ROUTES, endpoint["port"] in PORTS) == (True, True)
