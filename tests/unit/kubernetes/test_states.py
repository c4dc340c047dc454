# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What objects say of themselves: rollouts, conditions, paths, and what keeps those that are to go."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes import json_path, states


def live(spec: Any = None, generation: int = 2, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", "generation": generation}, "spec": spec or {}, "status": status}


def missing(kind: str, found: dict[str, Any]) -> Optional[str]:
    answer = states.READY[kind][0](found)
    return None if answer is None else answer.text + (" for ever" if answer.hopeless else "")


def true(*names: str, **others: str) -> list[dict[str, str]]:
    return [{"type": name, "status": "True"} for name in names] + [
        {"type": name, "status": status} for name, status in others.items()
    ]


@pytest.mark.parametrize(
    ("spec", "status", "text"),
    [
        ({}, {"observedGeneration": 1}, "its controller has not seen the change"),
        ({}, {}, "its controller has not seen the change"),
        ({"replicas": 3}, {"updatedReplicas": 1}, "1 of 3 replicas are updated"),
        ({"replicas": 2}, {"updatedReplicas": 2, "replicas": 3}, "1 old replicas are still there"),
        ({"replicas": 2}, {"updatedReplicas": 2, "replicas": 2}, "0 of 2 replicas are available"),
        ({"replicas": 2}, {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}, None),
        ({"replicas": 0}, {}, None),
        # As the API server has it where nobody says how many.
        ({}, {"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}, None),
        (
            {"replicas": 1},
            {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]},
            "0 of 1 replicas are updated for ever",
        ),
    ],
)
def test_deployments(spec: dict[str, Any], status: dict[str, Any], text: Optional[str]) -> None:
    seen = {} if not spec and not status else {"observedGeneration": 2}
    assert missing("Deployment.apps", live(spec, **{**seen, **status})) == text


@pytest.mark.parametrize(
    ("spec", "status", "text"),
    [
        ({}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1}, "1 of 2 pods are updated"),
        ({}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2}, "0 of 2 pods are available"),
        ({"updateStrategy": {"type": "OnDelete"}}, {"desiredNumberScheduled": 1, "numberAvailable": 1}, None),
        ({}, {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}, None),
        ({}, {"observedGeneration": 1}, "its controller has not seen the change"),
    ],
)
def test_daemon_sets(spec: dict[str, Any], status: dict[str, Any], text: Optional[str]) -> None:
    assert missing("DaemonSet.apps", live(spec, **{"observedGeneration": 2, **status})) == text


def rolling(partition: int) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


@pytest.mark.parametrize(
    ("spec", "status", "text"),
    [
        ({"replicas": 2}, {"readyReplicas": 1}, "1 of 2 pods are ready"),
        (
            {"replicas": 2},
            {"readyReplicas": 2, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            "1 of 2 pods are updated",
        ),
        ({"replicas": 2}, {"readyReplicas": 2, "currentRevision": "b", "updateRevision": "b"}, None),
        (
            {"replicas": 3, "updateStrategy": rolling(2)},
            {"readyReplicas": 3, "updatedReplicas": 0, "currentRevision": "a", "updateRevision": "b"},
            "0 of 1 pods are updated",
        ),
        (
            {"replicas": 3, "updateStrategy": rolling(2)},
            {"readyReplicas": 3, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            None,
        ),
        (
            {"replicas": 1, "updateStrategy": {"type": "OnDelete"}},
            {"readyReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            None,
        ),
    ],
)
def test_stateful_sets(spec: dict[str, Any], status: dict[str, Any], text: Optional[str]) -> None:
    assert missing("StatefulSet.apps", live(spec, observedGeneration=2, **status)) == text


@pytest.mark.parametrize(
    ("spec", "status", "text"),
    [
        ({}, {"succeeded": 1, "failed": 2}, "1 pods have succeeded, 2 have failed"),
        ({}, {"conditions": true("Complete")}, None),
        ({}, {"conditions": true("Failed")}, "it has failed for ever"),
        ({"suspend": True}, {"conditions": true("Suspended")}, None),
    ],
)
def test_jobs(spec: dict[str, Any], status: dict[str, Any], text: Optional[str]) -> None:
    assert missing("Job.batch", live(spec, **status)) == text


def test_webhooks_need_a_ca_for_their_service_only() -> None:
    by_service: dict[str, Any] = {"name": "a.example.org", "clientConfig": {"service": {"name": "a", "namespace": "b"}}}
    by_url = {"name": "b.example.org", "clientConfig": {"url": "https://b.example.org"}}
    kind = states.WEBHOOKS[0]
    text = missing(kind, {"metadata": {}, "webhooks": [by_url, by_service]})
    assert text == "a.example.org has no caBundle, which its controller is to set"
    by_service["clientConfig"]["caBundle"] = "AA=="
    assert missing(kind, {"metadata": {}, "webhooks": [by_url, by_service]}) is None


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("Ready", None),
        ("ready", "the condition ready is not there"),
        ("Stalled=False", None),
        ("Stalled", "the condition Stalled is False"),
        ("Ready=false", "the condition Ready is True"),
    ],
)
def test_conditions(wanted: str, text: Optional[str]) -> None:
    answer = states.condition(wanted)(live(conditions=true("Ready", Stalled="False")))
    assert (answer.text if answer else None) == text


def test_a_condition_of_an_older_generation_says_nothing() -> None:
    old = [{"type": "Ready", "status": "True", "observedGeneration": 1}]
    answer = states.condition("Ready")(live(conditions=old))
    assert answer is not None
    assert answer.text == "its controller has not seen the change"


DOCUMENT = {
    "metadata": {"annotations": {"example.org/a": "x"}},
    "spec": {"ports": [{"port": 80}, {"port": 443}], "paused": False},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
    },
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("{.status.phase}", ["Running"]),
        ("status.phase", ["Running"]),
        ("$.status.phase", ["Running"]),
        (".spec.ports[0].port", [80]),
        (".spec.ports[-1].port", [443]),
        (".spec.ports[2].port", []),
        (".spec.ports[*].port", [80, 443]),
        (".spec.paused[*]", []),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?( @.type == 'None' )].status", []),
        (".metadata.annotations['example.org/a']", ["x"]),
        (r".metadata.annotations.example\.org/a", ["x"]),
        (".status.missing.below", []),
        (".spec.ports.port", []),
    ],
)
def test_paths(path: str, values: list[Any]) -> None:
    assert json_path.found(DOCUMENT, json_path.parse(path)) == values


@pytest.mark.parametrize("path", ["", "{}", "..a", ".a[1:2]", ".a[?(@.b>1)]", ".a[", ".a}"])
def test_paths_that_are_not_understood(path: str) -> None:
    with pytest.raises(PlatformError, match=r"wait_for: jsonpath .* is not understood"):
        json_path.parse(path)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (".status.phase", "Running", None),
        (".status.phase", None, None),
        (".status.phase", "Failed", ".status.phase is Running"),
        (".spec.ports[*].port", "80", ".spec.ports[*].port is 80, 443"),
        (".spec.paused", "false", None),
        (".spec.none", None, "there is nothing at .spec.none"),
    ],
)
def test_values_at_paths(path: str, value: Optional[str], text: Optional[str]) -> None:
    answer = states.at_path(json_path.parse(path), value)(DOCUMENT)
    assert (answer.text if answer else None) == text


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"metadata": {}}, "it is given time to end"),
        (
            {"metadata": {"finalizers": ["example.org/a"]}},
            "the finalizer example.org/a must be removed by whoever set it",
        ),
        (
            {"metadata": {"finalizers": ["example.org/a", "example.org/b"]}},
            "the finalizers example.org/a, example.org/b must be removed by whoever set them",
        ),
        (
            {
                "metadata": {},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {
                    "conditions": [
                        {"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1 instances"}
                    ]
                },
            },
            "objects are left in it (NamespaceContentRemaining=True (pods. has 1 instances))",
        ),
    ],
)
def test_what_keeps_an_object(document: dict[str, Any], text: str) -> None:
    assert states.held_by(document) == text
