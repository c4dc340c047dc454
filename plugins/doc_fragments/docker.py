# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to reach a Docker engine, with the names that community.docker has."""

    DOCUMENTATION = r"""
options:
  docker_host:
    description:
      - The engine's address, such as V(unix:///run/user/1000/docker.sock) or V(tcp://192.0.2.23:2376). E(DOCKER_HOST)
        if it is not set.
    type: str
    default: unix:///var/run/docker.sock
    aliases: [docker_url]
  api_version:
    description: The version of the engine's API. E(DOCKER_API_VERSION) if it is not set. V(auto) asks the engine.
    type: str
    default: auto
    aliases: [docker_api_version]
  timeout:
    description: Seconds that one answer may take. E(DOCKER_TIMEOUT) if it is not set.
    type: int
    default: 60
  tls:
    description: Whether to use TLS, without checking the engine's certificate. E(DOCKER_TLS) if it is not set.
    type: bool
    default: false
  validate_certs:
    description: Whether to use TLS and check the engine's certificate. E(DOCKER_TLS_VERIFY) if it is not set.
    type: bool
    default: false
    aliases: [tls_verify]
  ca_path:
    description: A file with the certificate of the CA, PEM. C(ca.pem) in E(DOCKER_CERT_PATH) if it is not set.
    type: path
    aliases: [ca_cert, tls_ca_cert, cacert_path]
  client_cert:
    description: A file with the client's certificate, PEM. C(cert.pem) in E(DOCKER_CERT_PATH) if it is not set.
    type: path
    aliases: [tls_client_cert, cert_path]
  client_key:
    description: A file with its key, PEM. C(key.pem) in E(DOCKER_CERT_PATH) if it is not set.
    type: path
    aliases: [tls_client_key, key_path]
requirements:
  - docker (Python library)
"""
