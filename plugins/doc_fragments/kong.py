# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Where a Kong node's Admin API is."""

    DOCUMENTATION = r"""
options:
  connection:
    description: Where the Admin API is, and how to get in.
    type: dict
    required: true
    suboptions:
      url:
        description: The address of the Admin API, with a path if it is below one.
        type: str
        required: true
      token:
        description: The token of an Admin API that asks for one.
        type: str
      token_header:
        description: The header in which O(connection.token) is sent.
        type: str
        default: Kong-Admin-Token
      username:
        description: The user name for HTTP basic authentication.
        type: str
      password:
        description: The password for HTTP basic authentication.
        type: str
      ca_path:
        description:
          - A PEM file, or a directory as OpenSSL has them, with the authorities that are trusted.
          - By default those of the machine where the module runs.
        type: path
      validate_certs:
        description: Whether the node's certificate is checked. Anybody can pretend to be the node if it is not.
        type: bool
        default: true
      client_cert:
        description: A PEM file with the client's certificate, for mutual TLS. It may hold the key too.
        type: path
      client_key:
        description: A PEM file with the key of O(connection.client_cert), not encrypted.
        type: path
      timeout:
        description: How many seconds to wait for a connection, and for each answer.
        type: float
        default: 30
      use_proxy:
        description: Whether E(http_proxy), E(https_proxy) and E(no_proxy) of the environment count.
        type: bool
        default: true
  workspace:
    description: The workspace of a Kong Enterprise node. By default the one that O(connection.url) leads to.
    type: str
"""
