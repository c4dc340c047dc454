# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Istio has to be installed with, so that its proxies take their identities from SPIRE (Istio, "SPIRE").

A proxy that finds a socket at the path below uses it in place of istiod's certificates. A pod gets it by the injection
template ``spire``, which it asks for with the annotation ``inject.istio.io/templates: sidecar,spire``; the ingress
gateway is given it here. Without an entry in SPIRE such a pod never gets ready.
"""

from __future__ import annotations

import json

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.agent import DRIVER
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import Settings

SOCKET_DIR = "/run/secrets/workload-spiffe-uds"
VOLUME = "workload-socket"
GATEWAY = "istio-ingressgateway"


def istio(settings: Settings) -> list[Document]:
    """For ``istioctl install -f``; with Helm, the chart istiod takes ``meshConfig`` and what is in ``values``."""
    volume = {"name": VOLUME, "csi": {"driver": DRIVER, "readOnly": True}}
    mounted = {"name": VOLUME, "mountPath": SOCKET_DIR, "readOnly": True}
    template = {"spec": {"containers": [{"name": "istio-proxy", "volumeMounts": [mounted]}], "volumes": [volume]}}
    patches = [
        {"path": f"spec.template.spec.volumes.[name:{VOLUME}]", "value": volume},
        {"path": f"spec.template.spec.containers.[name:istio-proxy].volumeMounts.[name:{VOLUME}]", "value": mounted},
    ]
    overlay = {"apiVersion": "apps/v1", "kind": "Deployment", "name": GATEWAY, "patches": patches}
    gateway = {"name": GATEWAY, "enabled": True, "label": {"istio": "ingressgateway"}, "k8s": {"overlays": [overlay]}}
    spec = {
        "profile": "default",
        "meshConfig": {"trustDomain": settings.graph.trust_domain},
        # A template is text to Istio; JSON is YAML.
        "values": {"sidecarInjectorWebhook": {"templates": {"spire": json.dumps(template, indent=2)}}},
        "components": {"ingressGateways": [gateway]},
    }
    metadata = {"name": "spire", "namespace": settings.graph.mesh.namespace}
    return [{"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "metadata": metadata, "spec": spec}]
