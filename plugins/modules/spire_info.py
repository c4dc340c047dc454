#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spire_info
short_description: Say what is on a SPIRE server
version_added: 0.1.0
description:
  - Tells the health and version of a SPIRE server, its agents, its registration entries by owner, when its trust
    bundles end, and whom it federates with.
  - It changes nothing. To see what differs from a declaration, run M(zerotrust.platform.spire_sync) in check mode.
extends_documentation_fragment:
  - zerotrust.platform.spire
requirements:
  - cryptography >= 43.0.0
  - docker >= 7.1.0, for O(connection.container)
  - kubernetes >= 36.0.0, for O(connection.pod)
attributes:
  check_mode:
    support: full
    description: Can run in check mode, as it changes nothing.
  diff_mode:
    support: none
    description: There is nothing to show, as it changes nothing.
  idempotent:
    support: full
    description: It changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system that has the command, or reaches the container or pod that has it.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Look at the server
  zerotrust.platform.spire_info:
  register: spire

- name: Complain of a bundle that ends soon
  ansible.builtin.assert:
    that: item.seconds_left > 3600
    fail_msg: The trust bundle of {{ item.trust_domain }} ends at {{ item.not_after }}.
  loop: "{{ spire.bundles }}"
"""

RETURN = r"""
server:
  description: The server.
  returned: success
  type: dict
  contains:
    version:
      description: The version of its command.
      type: str
    healthy:
      description: Whether it finds itself healthy.
      type: bool
    trust_domain:
      description: Its trust domain.
      type: str
  sample: {version: 1.15.3, healthy: true, trust_domain: example.org}
agents:
  description: How many agents it knows.
  returned: success
  type: dict
  contains:
    total:
      description: All of them.
      type: int
    attested:
      description: Those with an identity that is valid.
      type: int
    expired:
      description: Those whose identity has ended.
      type: int
    banned:
      description: Those that were banned.
      type: int
    by_type:
      description: All of them, by how they attested.
      type: dict
  sample: {total: 3, attested: 3, expired: 0, banned: 0, by_type: {k8s_psat: 3}}
entries:
  description: How many registration entries it has.
  returned: success
  type: dict
  contains:
    total:
      description: All of them.
      type: int
    by_owner:
      description: By what their ids begin with, up to the first dot. V(none) stands for ids without one.
      type: dict
    join_token_aliases:
      description: Those that C(spire-server token generate) made.
      type: int
  sample: {total: 14, by_owner: {none: 2, shop: 12}, join_token_aliases: 1}
bundles:
  description: The trust bundles, its own first.
  returned: success
  type: list
  elements: dict
  contains:
    trust_domain:
      description: Whose it is.
      type: str
    own:
      description: Whether it is the server's.
      type: bool
    x509_authorities:
      description: How many X.509 authorities are in it.
      type: int
    jwt_authorities:
      description: How many JWT authorities are in it.
      type: int
    sequence_number:
      description: Its sequence number.
      type: int
    not_after:
      description: When the last X.509 authority ends.
      type: str
    seconds_left:
      description: How many seconds are left until then. A server's own authorities live a day by default.
      type: int
federation:
  description: The trust domains that it fetches bundles from, without those in the server's configuration file.
  returned: success
  type: list
  elements: dict
  contains:
    trust_domain:
      description: Whose bundle it is.
      type: str
    url:
      description: The address of the bundle.
      type: str
    profile:
      description: V(https_web) or V(https_spiffe).
      type: str
    spiffe_id:
      description: The SPIFFE ID of the endpoint, with V(https_spiffe).
      type: str
    bundle:
      description: V(there), V(missing), or V(ended) if all its X.509 authorities have.
      type: str
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: no_socket
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    Work,
    refuse_missing,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.bundles import now
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.info import server_info
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.options import (
    SPIRE_OPTIONS,
    missing_libraries,
    server_of,
)


def body(module: AnsibleModule) -> Work:
    connection = module.params["connection"]
    refuse_missing(missing_libraries(connection))
    server = server_of(connection)
    try:
        found = server_info(server, now())
    finally:
        server.transport.close()
    agents, entries = found["agents"], found["entries"]
    return Work(
        result=found,
        msg=f"SPIRE {found['server']['version']}: {agents['attested']} of {agents['total']} agents attested, "
        f"{entries['total']} entries.",
    )


def main() -> None:
    module = AnsibleModule(argument_spec=SPIRE_OPTIONS, supports_check_mode=True)
    require(module, ("cryptography", "cryptography"))
    run(module, body)


if __name__ == "__main__":
    main()
