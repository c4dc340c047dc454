# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to reach a SPIRE server."""

    DOCUMENTATION = r"""
options:
  connection:
    description:
      - How C(spire-server), the server's own command, is run. SPIRE 1.8 or later is needed.
      - By default it is run on the machine where the module runs.
    type: dict
    default: {}
    suboptions:
      command:
        description:
          - The command, and arguments that go before all others.
          - By default C(spire-server), and C(/opt/spire/bin/spire-server) in a container or a pod, as the images of
            the SPIRE project have it.
        type: list
        elements: str
      socket_path:
        description:
          - Where the server's API socket is, as the command sees it.
          - By default E(SPIRE_SERVER_PRIVATE_SOCKET) from SPIRE 1.15 on, or else
            V(/tmp/spire-server/private/api.sock).
        type: str
      timeout:
        description: How many seconds to wait for each run of the command, which would wait for a hung server for ever.
        type: float
        default: 120
      container:
        description: A Docker container in which the command is run. It needs the Python package C(docker).
        type: dict
        suboptions:
          name:
            description: The name of the container, or its id.
            type: str
            required: true
          host:
            description:
              - The address of the Docker engine. By default E(DOCKER_HOST), or else the local engine.
              - Entries cannot be sent through TLS, as its connections cannot be closed by half.
            type: str
      pod:
        description:
          - A Kubernetes pod in which the command is run. It needs the Python package C(kubernetes) 36 or later, and an
            API server of Kubernetes 1.30 or later, as earlier ones cannot tell a command the end of its input.
          - It needs the right to C(get) C(pods/exec), and with O(connection.pod.selector) to C(list) C(pods).
        type: dict
        suboptions:
          namespace:
            description: Its namespace.
            type: str
            default: spire
          name:
            description: Its name.
            type: str
          selector:
            description:
              - Labels of pods, such as V(app.kubernetes.io/name=server). The first one that is ready is taken.
              - Any replica will do, as all of them work on one datastore.
            type: str
          container:
            description: The container in it, if not the only one.
            type: str
          kubeconfig:
            description:
              - The file that says how to reach the cluster.
              - By default E(KUBECONFIG) or C(~/.kube/config), or in a pod its service account.
            type: path
          context:
            description: The context in that file, if not the current one.
            type: str
"""
