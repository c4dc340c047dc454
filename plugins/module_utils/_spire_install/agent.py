# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SPIRE agent on every node, and the CSI driver that brings its socket into pods.

The agent sees the processes of the node (``hostPID``) and asks the node's kubelet which pod one belongs to, over the
loopback interface (``hostNetwork``). Both need the Pod Security Standard "privileged", and so does the driver, whose
mounts have to be seen outside of its container.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install import configs
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.images import tag
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.objects import (
    account,
    config_map,
    container,
    document,
    from_config_map,
    from_host,
    mount,
    probe,
    resources,
    rights,
    rule,
    selector,
    template,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import (
    AGENT_ACCOUNT,
    Settings,
)

NAME = "spire-agent"
DRIVER_NAME = "spiffe-csi-driver"
DRIVER = "csi.spiffe.io"
KUBELET = "/var/lib/kubelet"

NODE_UPDATE = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}
"""Of a DaemonSet. A workload lives on its SVID while its agent is away."""


def agent(settings: Settings) -> list[Document]:
    namespace = settings.agent_namespace
    config = configs.text(configs.pod_agent(settings))
    # The kubelet asks the API server whether the agent may see its pods (Kubernetes, "Kubelet authorization").
    kubelet = [rule("", [settings.agent.kubelet_permission], ["get"])]
    metrics = configs.AGENT_METRICS if settings.options.telemetry else 0
    spec = {
        "selector": selector(NAME),
        "updateStrategy": NODE_UPDATE,
        "template": template(
            settings, NAME, str(settings.release.agent), _pod(settings), config=config, metrics=metrics
        ),
    }
    return [
        account(settings, AGENT_ACCOUNT, namespace, token=True),
        *rights(settings, f"{namespace}.{NAME}", (AGENT_ACCOUNT, namespace), kubelet),
        config_map(settings, NAME, namespace, {"agent.conf": config}),
        document(settings, "apps/v1", "DaemonSet", NAME, namespace, spec=spec),
    ]


def _pod(settings: Settings) -> dict[str, Any]:
    token = {"path": NAME, "expirationSeconds": 7200, "audience": "spire-server"}
    ports = [{"name": "health", "containerPort": configs.AGENT_HEALTH}]
    if settings.options.telemetry:
        ports.append({"name": "metrics", "containerPort": configs.AGENT_METRICS})
    main = container(
        settings,
        "agent",
        NAME,
        str(settings.release.agent),
        args=["-config", "/run/spire/config/agent.conf"],
        ports=ports,
        volumeMounts=[
            mount("config", "/run/spire/config"),
            mount("bundle", configs.POD_BUNDLE),
            mount("token", "/var/run/secrets/tokens"),
            mount("sockets", settings.agent.socket_dir, writable=True),
            mount("data", configs.POD_AGENT_DATA, writable=True),
        ],
        livenessProbe=probe("/live", "health", 60, host=configs.LOOPBACK),
        readinessProbe=probe("/ready", "health", 10, host=configs.LOOPBACK),
        resources=resources("50m", "64Mi", "256Mi", settings.kubernetes.resources.agent),
    )
    return {
        "serviceAccountName": AGENT_ACCOUNT,
        "hostPID": True,
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "priorityClassName": "system-node-critical",
        # The socket's directory is root's on the node.
        "securityContext": {"runAsUser": 0, "runAsGroup": 0, "seccompProfile": {"type": "RuntimeDefault"}},
        "tolerations": [dict(toleration) for toleration in settings.agent.tolerations],
        "containers": [main],
        "volumes": [
            from_config_map("config", NAME),
            from_config_map("bundle", configs.BUNDLE),
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
            from_host("sockets", settings.agent.socket_dir),
            {"name": "data", "emptyDir": {}},
        ],
    }


def csi_driver(settings: Settings) -> list[Document]:
    namespace = settings.agent_namespace
    driver = {
        "attachRequired": False,
        "podInfoOnMount": True,
        # Everybody may connect to the socket; who they are is what it is for.
        "fsGroupPolicy": "None",
        "volumeLifecycleModes": ["Ephemeral"],
    }
    spec = {
        "selector": selector(DRIVER_NAME),
        "updateStrategy": NODE_UPDATE,
        "template": template(
            settings, DRIVER_NAME, tag(settings.kubernetes.images, "csi_driver"), _driver_pod(settings)
        ),
    }
    return [
        document(settings, "storage.k8s.io/v1", "CSIDriver", DRIVER, spec=driver),
        account(settings, DRIVER_NAME, namespace, token=False),
        document(settings, "apps/v1", "DaemonSet", DRIVER_NAME, namespace, spec=spec),
    ]


def _driver_pod(settings: Settings) -> dict[str, Any]:
    plugin = f"{KUBELET}/plugins/{DRIVER}"
    pods = {**mount("pods", f"{KUBELET}/pods", writable=True), "mountPropagation": "Bidirectional"}
    driver = container(
        settings,
        "csi_driver",
        DRIVER_NAME,
        "",
        args=["-workload-api-socket-dir", "/spire-agent", "-plugin-name", DRIVER, "-csi-socket-path", "/csi/csi.sock"],
        env=[{"name": "MY_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        volumeMounts=[mount("sockets", "/spire-agent"), mount("plugin", "/csi", writable=True), pods],
        resources=resources("10m", "32Mi", "64Mi"),
    )
    # Without it the kernel shows the mounts to nobody outside (Kubernetes, "Mount propagation").
    driver["securityContext"] = {"privileged": True, "readOnlyRootFilesystem": True}
    registrar = container(
        settings,
        "csi_registrar",
        "node-driver-registrar",
        "",
        args=[
            "-csi-address",
            "/csi/csi.sock",
            "-kubelet-registration-path",
            f"{plugin}/csi.sock",
            "-health-port",
            "9809",
        ],
        ports=[{"name": "health", "containerPort": 9809}],
        volumeMounts=[mount("plugin", "/csi", writable=True), mount("registration", "/registration", writable=True)],
        livenessProbe=probe("/healthz", "health", 30),
        resources=resources("10m", "32Mi", "64Mi"),
    )
    return {
        "serviceAccountName": DRIVER_NAME,
        "priorityClassName": "system-node-critical",
        "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}},
        "tolerations": [dict(toleration) for toleration in settings.agent.tolerations],
        "containers": [driver, registrar],
        "volumes": [
            from_host("sockets", settings.agent.socket_dir),
            from_host("plugin", plugin),
            from_host("pods", f"{KUBELET}/pods", "Directory"),
            from_host("registration", f"{KUBELET}/plugins_registry", "Directory"),
        ],
    }
