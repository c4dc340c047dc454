# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to reach a Kubernetes API server, with the names that kubernetes.core has."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - The kubeconfig file. By default E(K8S_AUTH_KUBECONFIG), or E(KUBECONFIG), or C(~/.kube/config), or inside of a
        pod its service account.
      - A kubeconfig whose user is let in by a program (C(exec)) or a provider needs the library C(kubernetes).
    type: path
  context:
    description: The context of the kubeconfig. By default its current one, or E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description: The API server's URL, in place of the kubeconfig's. E(K8S_AUTH_HOST) if it is not set.
    type: str
  api_key:
    description: A bearer token. E(K8S_AUTH_API_KEY) if it is not set.
    type: str
  username:
    description: A user name for HTTP basic authentication. E(K8S_AUTH_USERNAME) if it is not set.
    type: str
  password:
    description: The user's password. E(K8S_AUTH_PASSWORD) if it is not set.
    type: str
  client_cert:
    description: A file with a client certificate, PEM. E(K8S_AUTH_CERT_FILE) if it is not set.
    type: path
    aliases: [cert_file]
  client_key:
    description: A file with its key, PEM. E(K8S_AUTH_KEY_FILE) if it is not set.
    type: path
    aliases: [key_file]
  ca_cert:
    description: A file with the certificate of the CA that the server's is checked against, PEM.
      E(K8S_AUTH_SSL_CA_CERT) if it is not set.
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description: Whether the server's certificate is checked. E(K8S_AUTH_VERIFY_SSL) if it is not set.
    type: bool
    aliases: [verify_ssl]
  proxy:
    description: The URL of an HTTP proxy. E(K8S_AUTH_PROXY) if it is not set, then that of the environment.
    type: str
  no_proxy:
    description: Hosts that are not reached by a proxy, with commas. E(K8S_AUTH_NO_PROXY) if it is not set.
    type: str
  impersonate_user:
    description: The user to act as. E(K8S_AUTH_IMPERSONATE_USER) if it is not set.
    type: str
  impersonate_groups:
    description: The groups to act as. E(K8S_AUTH_IMPERSONATE_GROUPS) if it is not set.
    type: list
    elements: str
"""
