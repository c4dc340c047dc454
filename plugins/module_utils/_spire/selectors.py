# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which selectors SPIRE's own attestors can make. Pure.

The server takes any type and value without a word, and an entry with a selector that no attestor makes gives its
identity to nobody. So what is misspelt is told before. A plugin of others is named in `selector_types`, and its
selectors are not looked into.

Source: the tables of selectors in SPIRE 1.15's `doc/plugin_agent_workloadattestor_*.md`,
`doc/plugin_server_nodeattestor_*.md` and `doc/plugin_agent_svidstore_*.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import suggestion

_K8S_WORKLOAD = """
    ns ns-label sa container-image container-name node-name pod-label pod-owner pod-owner-uid pod-uid pod-name
    pod-image pod-image-count pod-init-image pod-init-image-count
"""
_K8S_SIGSTORE = """
    image-signature image-attestations image-signature-value image-signature-subject image-signature-issuer
    image-signature-log-id image-signature-log-index image-signature-integrated-time
    image-signature-signed-entry-timestamp
"""
_K8S_REFERENCE = """
    uid resource plural group version apiVersion kind name namespace key label owner-key owner-uid controller-key
    controller-uid
"""
_AZURE = """
    subscription-id vm-name vmss-name network-security-group resource-group vm-location virtual-network
    virtual-network-subnet vm-tag
"""

#: The words with which a type's values begin, up to the first colon; none where a value is anything.
KNOWN: Mapping[str, frozenset[str]] = {
    kind: frozenset(words.split())
    for kind, words in {
        # Workloads
        "docker": "label env image_id image_config_digest",
        "k8s": _K8S_WORKLOAD + _K8S_SIGSTORE + _K8S_REFERENCE,
        "slurm": "job_id sluid step",
        "systemd": "id fragment_path",
        "unix": "uid user gid group supplementary_gid supplementary_group path sha256",
        "windows": "user_sid user_name group_sid group_name path sha256",
        # Nodes
        "aws_iid": "account_id az iamrole image instance region sg tag",
        "azure_imds": _AZURE,
        "azure_msi": _AZURE,
        "gcp_iit": "instance-name label metadata project-id sa tag zone",
        "http_challenge": "hostname",
        "join_token": "",
        "k8s_psat": """cluster agent_ns agent_sa agent_pod_name agent_pod_uid agent_pod_label agent_node_ip
            agent_node_name agent_node_uid agent_node_label""",
        "k8s_sat": "cluster agent_ns agent_sa",
        "spiffe_id": "",
        "sshpop": "",
        "tpm_devid": "subject issuer fingerprint",
        "x509pop": "subject ca serialnumber san",
        # Where SVIDs are stored
        "aws_secretsmanager": "secretname arn kmskeyid",
        "gcp_secretmanager": "name secretname projectid role serviceaccount regions",
    }.items()
}


def complaint(kind: str, value: str, others: Collection[str] = ()) -> str:
    """What is wrong with a selector, or nothing. others: types whose values nobody here knows."""
    if kind in others:
        return ""
    if kind not in KNOWN:
        return (
            f"no attestor of SPIRE makes selectors of the type {kind!r}{suggestion(kind, KNOWN)}; if a plugin of yours "
            "does, name it in selector_types"
        )
    words = KNOWN[kind]
    word, colon, rest = value.partition(":")
    if not words or (word in words and colon and rest):
        return ""
    if word in words:
        return f"'{kind}:{value}' says no value; it is written as {kind}:{word}:VALUE"
    return (
        f"'{kind}:{value}' begins with none of the words of {kind}{suggestion(word, words)}; if it is newer than this "
        f"collection, name {kind} in selector_types"
    )
