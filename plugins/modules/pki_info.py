#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_info
short_description: Look into certificates of any origin, and write metrics of them
version_added: 0.1.0
description:
  - Says of every certificate how many days are left, what it is for, who issued it, where its key lies and what is
    wrong with it. It does not matter who made the files.
  - Reads PEM, DER and PKCS#12 files with certificates, private keys and revocation lists. Private keys are never
    returned or logged.
  - A certificate is reported once, with all the files that hold it.
  - Nothing is judged by what is not there. That an issuer is unknown is a problem only with O(trusted).
  - Writes the metrics that an alert needs, for node_exporter's textfile collector.
options:
  paths:
    description:
      - Files, directories and globs. C(**) stands for directories of any depth.
      - A file is read whatever it is called. In directories, and in those below them, files with the extensions
        C(.pem), C(.crt), C(.cer), C(.cert), C(.der), C(.key), C(.p12), C(.pfx) and C(.crl) are, but no hidden ones.
      - Symbolic links to files are followed.
    type: list
    elements: path
    required: true
  passphrases:
    description:
      - The passphrases of PKCS#12 files and private keys. Each is tried on each.
      - A PKCS#12 file that none of them opens is a problem. An encrypted private key is passed over.
    type: list
    elements: str
  trusted:
    description:
      - Files, directories and globs with the certificates that are trusted, such as
        C(/etc/ssl/certs/ca-certificates.crt).
      - With it, a certificate that does not lead to one of them is a problem.
    type: list
    elements: path
  renew_before:
    description:
      - How long before its end a certificate should be renewed, as a number and a unit V(s), V(m), V(h), V(d), V(w) or
        V(y).
      - By default V(30d), or a third of the time it is valid if that is less.
    type: str
  at:
    description:
      - The moment to judge at, such as V(2027-01-31T12:00:00Z). By default now.
      - With a moment to come it says what will have expired by then.
    type: str
  metrics_file:
    description:
      - Where to write the metrics, for Prometheus. The name has to end with C(.prom), and its directory has to be the
        one that the textfile collector of node_exporter reads.
      - Readers find the old file or the new one, with mode 0644. It is written in each run and is not counted as a
        change, as it holds the time of the run. It is not written in check mode.
      - One of these files a machine, as node_exporter refuses metrics that it finds twice.
    type: path
requirements:
  - cryptography >= 43.0
attributes:
  check_mode:
    support: full
    description: Looks as always; O(metrics_file) is not written.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: The same files at the same moment give the same answer.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Look into the certificates of this machine
  zerotrust.platform.pki_info:
    paths:
      - /etc/example/pki
      - /etc/letsencrypt/live/*/fullchain.pem
    metrics_file: /var/lib/prometheus/node-exporter/certificates.prom
  register: found

- name: Fail if something is wrong with one of them
  ansible.builtin.assert:
    that: not found.problems
    fail_msg: "{{ found.problems | map(attribute='text') }}"

- name: Find out what a browser would not accept in half a year
  zerotrust.platform.pki_info:
    paths: [/etc/ssl/private/www.p12]
    passphrases: ["{{ vault_www_passphrase }}"]
    trusted: [/etc/ssl/certs/ca-certificates.crt]
    at: "2027-07-01T00:00:00Z"
"""

RETURN = r"""
certificates:
  description:
    - The certificates, those that expire first come first.
    - At most 1000. The others are counted in RV(certificates_left_off).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its common name, or its first name if it has none.
      type: str
    kind:
      description: V(authority) or V(certificate).
      type: str
    paths:
      description: The files that hold it, those where it comes first before the others.
      type: list
      elements: str
    key:
      description: The file with its private key, null if that is not among the files.
      type: str
    subject:
      description: Its distinguished name (RFC 4514).
      type: str
    names:
      description: The names it is for.
      type: list
      elements: str
    issuer:
      description: The distinguished name of its issuer.
      type: str
    issuer_path:
      description: A file with its issuer's certificate, null if that is not among the files.
      type: str
    key_type:
      description: The type of its key.
      type: str
    serial:
      description: Its serial number in hexadecimal.
      type: str
    fingerprint_sha256:
      description: The SHA-256 of its DER form, in hexadecimal.
      type: str
    not_before:
      description: The moment from which it is valid, in UTC.
      type: str
    not_after:
      description: The moment until which it is valid, in UTC.
      type: str
    days_left:
      description: How many whole days are left until then; negative afterwards.
      type: int
    renewal_due:
      description: The moment at which it should be renewed, in UTC.
      type: str
    problems:
      description: The codes of its problems, as in RV(problems).
      type: list
      elements: str
  sample:
    - name: api.example.com
      kind: certificate
      paths: [/etc/example/pki/api/cert.pem, /etc/example/pki/api/fullchain.pem]
      key: /etc/example/pki/api/key.pem
      subject: CN=api.example.com
      names: [api.example.com]
      issuer: CN=Example Issuing
      issuer_path: /etc/example/pki/authorities/issuing/cert.pem
      key_type: ecdsa-p256
      serial: 5f1c6e0bbd5a4a37a1a6e30f0b1a4c9d2e7f8091
      fingerprint_sha256: 7d5a99f603f231d53a4f39d1521f98d2e8bb279cf29bebfd0687dc98458e7f89
      not_before: "2026-01-01T11:55:00Z"
      not_after: "2027-01-01T12:00:00Z"
      days_left: 364
      renewal_due: "2026-12-02T12:00:00Z"
      problems: []
certificates_left_off:
  description: How many are not in RV(certificates).
  returned: success
  type: int
  sample: 0
crls:
  description: The revocation lists.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file that holds it.
      type: str
    issuer:
      description: The distinguished name of its issuer.
      type: str
    last_update:
      description: When it was made, in UTC.
      type: str
    next_update:
      description: When it has to be replaced, in UTC; null if it does not say so.
      type: str
    revoked:
      description: How many certificates it revokes.
      type: int
problems:
  description:
    - What is wrong, by path. At most 1000. The others are counted in RV(problems_left_off).
    - "Of a certificate: C(expired), C(not_yet_valid), C(revoked), C(weak) (its key or its signature), C(no_names) (a
      server's without subject alternative names), C(outlives_issuer), C(untrusted)."
    - "Of a file: C(missing), C(unreadable), C(no_certificate), C(bad_pem), C(bad_certificate), C(bad_key),
      C(unknown_format), C(passphrase) (none opens it), C(key_mode) (others can read or write a private key),
      C(key_mismatch), C(chain_order), C(chain_incomplete), C(chain_foreign), C(root_included)."
    - "Of a revocation list: C(crl_expired), C(crl_unverified)."
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description: Which problem it is. The codes do not change between releases.
      type: str
    path:
      description: The file.
      type: str
    text:
      description: The problem in one sentence.
      type: str
  sample:
    - code: chain_incomplete
      path: /srv/www/fullchain.pem
      text: "/srv/www/fullchain.pem: lacks 'Example Issuing', the issuer of 'www.example.com': append its certificate"
problems_left_off:
  description: How many are not in RV(problems).
  returned: success
  type: int
  sample: 0
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: bad_at
"""

from datetime import datetime, timezone
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import Work, require, run
from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection import shown
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.judge import Inspection, inspect
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.scan import scan
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.crypto import check_version
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import write_atomic

SHOWN = 1000


def body(module: AnsibleModule) -> Work:
    check_version()
    params = module.params
    now, renew_before = moment(params["at"]), length(params["renew_before"])
    if params["metrics_file"] and not params["metrics_file"].endswith(".prom"):
        message = (
            f"metrics_file: {params['metrics_file']!r} does not end with .prom, so node_exporter would not read it"
        )
        raise PlatformError(message, "bad_metrics_file")
    trusted = scan(params["trusted"] or (), params["passphrases"] or ())
    found = inspect(scan(params["paths"], params["passphrases"] or ()), now, trusted)
    if params["metrics_file"] and not module.check_mode:
        write_atomic(params["metrics_file"], shown.metrics(found, renew_before).encode("utf-8"), 0o644)
    certificates, problems = shown.certificates(found, renew_before), shown.problems(found)
    result = {
        "certificates": certificates[:SHOWN],
        "certificates_left_off": len(certificates[SHOWN:]),
        "crls": shown.crls(found),
        "problems": problems[:SHOWN],
        "problems_left_off": len(problems[SHOWN:]),
    }
    return Work(result=result, msg=message_of(found, certificates))


def moment(value: Optional[str]) -> datetime:
    now = datetime.now(timezone.utc)
    if value is None:
        return now
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        message = f"at: {value!r} is no moment in UTC of the form {now:%Y-%m-%dT%H:%M:%SZ}"
        raise PlatformError(message, "bad_at") from None


def length(value: Optional[str]) -> Optional[int]:
    try:
        return None if value is None else duration(value)
    except ValueError as error:
        raise PlatformError(f"renew_before: {value!r} {error}", "bad_renew_before") from None


def message_of(found: Inspection, certificates: list[dict[str, Any]]) -> str:
    counts = counted(len(certificates), "certificate")
    if certificates:
        counts += f"; the first to expire is {certificates[0]['name']}, at {certificates[0]['not_after']}"
    if not found.problems:
        return f"{counts}. No problems."
    problem = found.problems[0]
    return f"{counts}. {counted(len(found.problems), 'problem')}; the first: {problem.path}: {problem.message}"


def counted(number: int, what: str) -> str:
    return f"{number or 'No'} {what}{'' if number == 1 else 's'}"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "required": True},
            "passphrases": {"type": "list", "elements": "str", "no_log": True},
            "trusted": {"type": "list", "elements": "path"},
            "renew_before": {"type": "str"},
            "at": {"type": "str"},
            "metrics_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    require(module, ("cryptography", "cryptography"))
    run(module, body)


if __name__ == "__main__":
    main()
