#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki
short_description: Keep a whole tree of authorities and certificates as declared
version_added: 0.1.0
description:
  - Makes certificate authorities and the certificates they issue, of any number, in one task, and keeps them as
    declared.
  - A certificate is issued again when it or its key is missing or broken, when they do not belong together, when
    something declared or its issuer has changed, and when its time to renew has come. Each cause is named.
  - A renewed certificate keeps its key, unless another key type or rotation is declared. So does a renewed authority,
    and what it has signed stays valid.
  - A root that gets a new key is replaced in three steps with a time between them in which both are trusted.
  - An authority remembers what it has issued, revokes what is declared, and publishes revocation lists.
  - Private keys have mode 0600 from their first byte on. They are never returned, shown or logged.
  - Key and certificate are a pair at any moment, and after a crash at any point. The next run finishes what was begun.
  - An authority is never silently replaced. If its key is lost or broken, or it has expired, the module fails and says
    what can be done.
  - This module takes many items in one call. Use O(src) for more than a few hundred of them.
extends_documentation_fragment:
  - zerotrust.platform.plan
  - zerotrust.platform.pki
options:
  path:
    description:
      - The directory of the tree. All other paths are relative to it.
      - It is made if it is missing. Files in it that the module has not made are left alone and reported.
    type: path
    required: true
  preset:
    description:
      - A ready-made tree. What else is declared comes on top of it.
      - V(development) is an authority valid for ten years with its certificate in C(ssl/ca-cert.pem), and a server
        certificate for C(localhost), C(127.0.0.1) and C(::1), valid for 365 days, in C(ssl/cert.pem) with its key in
        C(ssl/key.pem). The authority's own key is kept apart, in C(authorities/development/key.pem).
    type: str
    choices: [development]
  src:
    description:
      - A YAML or JSON file, on the machine where the module runs, with the keys C(authorities), C(certificates) and
        C(revoked). Each holds a list as in the options of these names.
      - Mistakes in it are reported with their line and column.
    type: path
  keystore_passphrase:
    description:
      - O(certificates[].keystore_passphrase) of all certificates that have none of their own.
      - With it, O(src) needs to hold no passphrase.
    type: str
  adopt:
    description:
      - Whether files that lie where declared ones should, and that the module has not made, are taken over.
      - What is as declared then stays, keys included. What is not is issued again. Otherwise such files are refused.
    type: bool
    default: false
  purge:
    description: Whether files of certificates that are no longer declared are removed, keys included, or stay.
    type: bool
    default: false
  archive:
    description:
      - A directory in O(path) to which O(purge) moves such files, below one named after the moment. Without it they are
        removed.
      - The module does not look into it again.
    type: str
  limits:
    description:
      - How much a declaration may change before it is refused, with the list of what it would have done.
      - What time, an accident or an authority's new key brings about does not count.
    type: dict
    suboptions:
      delete:
        description: How many percent of the files that are ours may be removed, from 0 to 100.
        type: int
        default: 30
      update:
        description: How many percent of the certificates may be issued anew because they are declared differently.
        type: int
        default: 30
      objects:
        description: With fewer files, or certificates, than this, the percentages are no limit.
        type: int
        default: 10
  state:
    description: With V(absent), all that the module has made in O(path) is removed, keys included, and nothing else.
    type: str
    choices: [present, absent]
    default: present
  lock_timeout:
    description: How many seconds to wait while another run works on the same tree.
    type: float
    default: 60
requirements:
  - cryptography >= 43.0
  - PyYAML >= 6.0, for O(src)
  - idna >= 3.7, for internationalised names
  - acme >= 4.2, for O(authorities[].acme)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows what each certificate was and is going to be; never a key.
  idempotent:
    support: full
    description: A second run with the same declaration changes nothing until the first certificate is to be renewed.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system, usually on the control node.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Make an authority and a certificate for localhost
  zerotrust.platform.pki:
    path: build/local/pki
    preset: development

- name: Make a root, an intermediate authority and two certificates
  zerotrust.platform.pki:
    path: /etc/example/pki
    authorities:
      - name: root
        common_name: Example Root
        key_type: ecdsa-p384
        path_length: 1
      - name: issuing
        common_name: Example Issuing
        issuer: root
        valid_for: 1825d
        path_length: 0
    certificates:
      - name: api
        issuer: issuing
        dns: [api.example.com, "*.api.example.com"]
        ips: [192.0.2.10]
      - name: frontend
        issuer: issuing
        profile: mtls
        uris: [spiffe://example.com/ns/shop/sa/frontend]
        valid_for: 30d

- name: Have a certificate of Let's Encrypt, and one of the company's own authority
  zerotrust.platform.pki:
    path: /etc/example/pki
    authorities:
      - name: letsencrypt
        acme:
          directory: https://acme-v02.api.letsencrypt.org/directory
          contact: [ops@example.com]
          terms_agreed: true
          challenge:
            webroot: /var/www/html
      - name: company
        external:
          ca_file: /etc/ssl/company-root.pem
    certificates:
      - name: www
        issuer: letsencrypt
        dns: [www.example.com]
      - name: intranet
        issuer: company
        dns: [intranet.example.com]

- name: Revoke a certificate whose key was stolen, and publish that
  zerotrust.platform.pki:
    path: /etc/example/pki
    authorities:
      - name: root
        passphrase: "{{ root_passphrase }}"
        crl:
          url: http://crl.example.com/root.crl
        files:
          crl_der: public/root.crl
    certificates:
      - name: api
        issuer: root
        dns: [api.example.com]
    revoked:
      - name: api
        before: "2026-01-31T12:00:00Z"
        reason: key_compromise

- name: Keep thousands of certificates that a file declares
  zerotrust.platform.pki:
    path: /etc/example/pki
    src: /etc/example/certificates.yml
    purge: true

- name: Remove all that was made
  zerotrust.platform.pki:
    path: build/local/pki
    state: absent
"""

RETURN = r"""
certificates:
  description:
    - The authorities and certificates as they are after the run, in check mode as they are before it. What is yet to be
      issued has null for its serial, times and fingerprint.
    - At most 1000, those that expire first. The others are counted in RV(certificates_left_off).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    kind:
      description: V(authority) or V(certificate).
      type: str
    issuer:
      description: The name of its issuer, null for a root.
      type: str
    subject:
      description: Its distinguished name.
      type: str
    profile:
      description: What it is used for.
      type: str
    state:
      description:
        - V(issued), V(pending) while an outside authority has not answered, or V(failed) if it has refused.
        - Null in check mode for what is yet to be issued.
      type: str
    names:
      description: The names it is for.
      type: list
      elements: str
    files:
      description: Where its files lie, relative to O(path).
      type: dict
    serial:
      description: Its serial number in hexadecimal.
      type: str
    not_before:
      description: The moment from which it is valid, in UTC.
      type: str
    not_after:
      description: The moment until which it is valid, in UTC.
      type: str
    days_left:
      description: How many whole days are left until then.
      type: int
    fingerprint_sha256:
      description: The SHA-256 of its DER form, in hexadecimal.
      type: str
  sample:
    - name: localhost
      kind: certificate
      issuer: development
      subject: CN=localhost
      profile: server
      state: issued
      names: [localhost, 127.0.0.1, "::1"]
      files: {key: ssl/key.pem, certificate: ssl/cert.pem}
      serial: 5f1c6e0bbd5a4a37a1a6e30f0b1a4c9d2e7f8091
      not_before: "2026-01-01T11:55:00Z"
      not_after: "2027-01-01T12:00:00Z"
      days_left: 364
      fingerprint_sha256: 7d5a99f603f231d53a4f39d1521f98d2e8bb279cf29bebfd0687dc98458e7f89
certificates_left_off:
  description: How many are not in RV(certificates).
  returned: success
  type: int
  sample: 0
reloads:
  description: The commands that were run, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    command:
      description: The command.
      type: list
      elements: str
    certificates:
      description: The names of the certificates that it was run for.
      type: list
      elements: str
  sample:
    - command: [systemctl, reload, nginx]
      certificates: [api, www]
plan:
  description: What is, or in check mode would be, done.
  returned: success
  type: dict
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: ca_key_mismatch
errors:
  description: Every mistake, one sentence each.
  returned: when there are several
  type: list
  elements: str
"""

import gc
import importlib.util
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    PLAN_OPTIONS,
    Module,
    Work,
    refuse_missing,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._commands import Run
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import keystores
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.crypto import check_version
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import PRESETS, Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuers import Surroundings
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.options import DECLARATION_OPTIONS
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.planning import OWNER, PkiPlan, plan_pki
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import apply_pki, records_of, reloads_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits

SHOWN_CERTIFICATES = 1000


def body(module: AnsibleModule) -> Work:
    check_version()
    params = module.params
    if params["state"] == "absent":
        tree_plan = plan_tree(params["path"], {}, OWNER, hidden=True)
        return Work(tree_plan.plan, lambda: apply_tree(tree_plan, params["lock_timeout"]), result=shown())
    declaration = parse(sources(params), passphrase(params["keystore_passphrase"]))
    if any(one.acme for one in declaration.outside) and not importlib.util.find_spec("acme"):
        refuse_missing(["acme"])
    tree = Tree(params["path"])

    def close() -> None:
        """What this run makes for its lock must not stay if the run comes to nothing; in use it is never empty."""
        if tree.made:
            tree.remove_root()
        else:
            tree.close()

    try:
        if not module.check_mode:
            tree.lock(params["lock_timeout"])
        plan = plan_pki(
            tree,
            declaration,
            datetime.now(timezone.utc),
            adopt=params["adopt"],
            purge=params["purge"],
            archive=params["archive"] or "",
            limits=Limits(**(params["limits"] or {})),
            around=Surroundings(runner(module), module.warn),
        )
    except BaseException:
        close()
        raise

    def apply() -> dict:
        try:
            apply_pki(tree, plan)
            return shown(plan)
        except PlatformError as error:
            error.result = {**error.result, **shown(plan)}
            raise

    result = {**shown(plan), "reloads": reloads_of(plan)}
    return Work(plan.plan, apply, result=result, warnings=plan.warnings, close=close)


def runner(module: AnsibleModule) -> Run:
    def run_command(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
        try:
            return module.run_command(
                list(command),
                environ_update=dict(environment),
                # A command is what it says: no shell, and nothing that would look like one.
                expand_user_and_vars=False,
                handle_exceptions=False,
            )
        except OSError as error:
            return 127, "", error.strerror or str(error)

    return run_command


def passphrase(value: Optional[str]) -> str:
    try:
        return keystores.passphrase(value) if value is not None else ""
    except ValueError as error:
        raise PlatformError(f"keystore_passphrase: {error}", "bad_keystore_passphrase") from None


def sources(params: dict) -> list:
    found = []
    if params["preset"]:
        found.append(Source(PRESETS[params["preset"]], f"preset {params['preset']}"))
    if params["src"]:
        # Not above, as what reads YAML is a tenth of what a run without a file costs.
        from ansible_collections.zerotrust.platform.plugins.module_utils._pki.source import read_source

        found.append(read_source(params["src"]))
    found.append(Source({key: params[key] for key in ("authorities", "certificates", "revoked") if params[key]}))
    return found


def shown(plan: Optional[PkiPlan] = None) -> dict:
    items = plan.items if plan else ()
    return {
        "certificates": records_of(plan, SHOWN_CERTIFICATES) if plan else [],
        "certificates_left_off": max(0, len(items) - SHOWN_CERTIFICATES),
    }


def main() -> None:
    # A run keeps nearly all objects that it makes: to look for garbage among them would be a fifth of its work.
    gc.disable()
    module = Module(
        argument_spec={
            **PLAN_OPTIONS,
            "path": {"type": "path", "required": True},
            "preset": {"type": "str", "choices": list(PRESETS)},
            "src": {"type": "path"},
            **DECLARATION_OPTIONS,
            "keystore_passphrase": {"type": "str", "no_log": True},
            "adopt": {"type": "bool", "default": False},
            "purge": {"type": "bool", "default": False},
            "archive": {"type": "str"},
            "limits": {
                "type": "dict",
                "options": {
                    "delete": {"type": "int", "default": 30},
                    "update": {"type": "int", "default": 30},
                    "objects": {"type": "int", "default": 10},
                },
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "lock_timeout": {"type": "float", "default": 60},
        },
        required_if=[("state", "present", ("preset", "src", "authorities", "certificates"), True)],
        supports_check_mode=True,
    )
    require(module, ("cryptography", "cryptography"), ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
