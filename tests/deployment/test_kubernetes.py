"""The Kubernetes example: its parts fit each other, and the service."""

from __future__ import annotations

from collections import ChainMap
from typing import Any

from entrypoints.cli.options import DEFAULT_PORT
from entrypoints.processes.stages import STOP_LIMIT
from tests.deployment.files import DATA_DIR, LIVE, READY, SETTINGS, USER, check_command, objects


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in objects() if found["kind"] == kind}


def test_every_deployment_has_a_budget_and_spreads_its_pods() -> None:
    budgets = of_kind("PodDisruptionBudget")
    for name, found in of_kind("Deployment").items():
        labels = found["spec"]["template"]["metadata"]["labels"]
        assert found["spec"]["selector"]["matchLabels"] == labels
        assert budgets[name]["spec"]["selector"]["matchLabels"] == labels
        [rule] = found["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"].popitem()[1]
        assert rule["podAffinityTerm"]["labelSelector"]["matchLabels"] == labels


def test_containers_run_commands_that_exist_with_settings_that_exist() -> None:
    known = of_kind("ConfigMap")
    secrets = of_kind("Secret")
    for name, found in of_kind("Deployment").items():
        [container] = found["spec"]["template"]["spec"]["containers"]
        check_command(container["args"])
        variables = ChainMap(
            *(known[s["configMapRef"]["name"]]["data"] for s in container["envFrom"][:1]),
            *(secrets[s["secretRef"]["name"]]["stringData"] for s in container["envFrom"][1:]),
        )
        ours = {variable for variable in variables if variable.startswith("CAVE_")}
        assert ours <= SETTINGS["serve"], name
        assert ours, name


def test_a_container_needs_no_root_and_writes_only_to_its_volumes() -> None:
    for found in of_kind("Deployment").values():
        pod = found["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsUser"] == int(USER)
        assert container["securityContext"]["readOnlyRootFilesystem"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts == {"data": DATA_DIR, "tmp": "/tmp"}
        assert {volume["name"] for volume in pod["volumes"]} == set(mounts)


def test_probes_ask_paths_and_ports_that_exist() -> None:
    [container] = of_kind("Deployment")["cave"]["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": DEFAULT_PORT}
    asked = {
        kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")
    }
    assert {probe["port"] for probe in asked.values()} <= set(ports)
    assert {kind: probe["path"] for kind, probe in asked.items()} == {
        "startup": LIVE,
        "liveness": LIVE,
        "readiness": READY,
    }
    [exposed] = of_kind("Service")["cave"]["spec"]["ports"]
    assert exposed["targetPort"] in ports


def test_a_pod_has_the_time_that_it_may_take_to_stop() -> None:
    for found in of_kind("Deployment").values():
        pod = found["spec"]["template"]["spec"]
        [container] = pod["containers"]
        stopping = container.get("lifecycle", {}).get("preStop", {}).get("exec", {})
        waiting = float(stopping.get("command", ["sleep", "0"])[1])
        # The workers, or the projector: a pod has only one of them.
        assert pod["terminationGracePeriodSeconds"] > waiting + STOP_LIMIT
