# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands and their flags, with their help, as the recordings have them."""

from __future__ import annotations

from tests.contract.spire.server.goflags import Flag

COMMON = {
    "instance": Flag(
        "string", "Instance name to substitute into socket templates (env SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE)."
    ),
    "socketPath": Flag("string", "Path to the SPIRE Server API socket", "/tmp/spire-server/private/api.sock"),
}
OUTPUT = {"output": Flag("value", "Desired output format (pretty, json); default: pretty.")}

_MODES = "Options: exact, any, superset and subset"
_DOWNSTREAM = Flag(
    "bool", "A boolean value that, when set, indicates that the entry describes a downstream SPIRE server", False
)
_SELECTOR = Flag("value", "A colon-delimited type:value selector. Can be used more than once", many=True)


def _filters(verb: str) -> dict[str, Flag]:
    return {
        "downstream": _DOWNSTREAM,
        "federatesWith": Flag(
            "value", "SPIFFE ID of a trust domain an entry is federate with. Can be used more than once", many=True
        ),
        "hint": Flag("string", f"The Hint of the records to {verb} (optional)"),
        "matchFederatesWithOn": Flag(
            "string", f"The match mode used when filtering by federates with. {_MODES}", "superset"
        ),
        "matchSelectorsOn": Flag("string", f"The match mode used when filtering by selectors. {_MODES}", "superset"),
        "parentID": Flag("string", f"The Parent ID of the records to {verb}"),
        "selector": _SELECTOR,
        "spiffeID": Flag("string", f"The SPIFFE ID of the records to {verb}"),
    }


_WRITE = {
    "admin": Flag(
        "bool",
        "If set, the SPIFFE ID in this entry will be granted access to the SPIRE Server's management APIs",
        False,
    ),
    "data": Flag(
        "string", "Path to a file containing registration JSON (optional). If set to '-', read the JSON from stdin."
    ),
    "disableX509SVIDPrefetch": Flag(
        "bool", "A boolean value that, when set, disables prefetching X509 SVID for this entry", False
    ),
    "dns": Flag(
        "value",
        "A DNS name that will be included in SVIDs issued based on this entry, where appropriate. "
        "Can be used more than once",
        many=True,
    ),
    "downstream": _DOWNSTREAM,
    "entryExpiry": Flag(
        "int", "An expiry, from epoch in seconds, for the resulting registration entry to be pruned", 0
    ),
    "federatesWith": Flag(
        "value", "SPIFFE ID of a trust domain to federate with. Can be used more than once", many=True
    ),
    "hint": Flag("string", "The entry hint, used to disambiguate entries with the same SPIFFE ID"),
    "jwtSVIDIncludeJTI": Flag(
        "bool",
        "A boolean value that, when set, includes a unique 'jti' claim in JWT-SVIDs issued for this entry and bypasses "
        "the agent JWT-SVID cache",
        False,
    ),
    "jwtSVIDTTL": Flag("int", "The lifetime, in seconds, for JWT-SVIDs issued based on this registration entry.", 0),
    "parentID": Flag("string", "The SPIFFE ID of this record's parent"),
    "selector": _SELECTOR,
    "spiffeID": Flag("string", "The SPIFFE ID that this record represents"),
    "storeSVID": Flag(
        "bool",
        "A boolean value that, when set, indicates that the resulting issued SVID from this entry must be stored "
        "through an SVIDStore plugin",
        False,
    ),
    "x509SVIDTTL": Flag("int", "The lifetime, in seconds, for x509-SVIDs issued based on this registration entry.", 0),
}
_RELATIONSHIP = {
    "bundleEndpointProfile": Flag("string", 'Endpoint profile type (either "https_web" or "https_spiffe")'),
    "bundleEndpointURL": Flag(
        "string", "URL of the SPIFFE bundle endpoint that provides the trust bundle (must use the HTTPS protocol)"
    ),
    "data": Flag(
        "string",
        "Path to a file containing federation relationships in JSON format (optional). If set to '-', read the JSON "
        "from stdin.",
    ),
    "endpointSpiffeID": Flag(
        "string", "SPIFFE ID of the SPIFFE bundle endpoint server. Only used for 'spiffe' profile."
    ),
    "trustDomain": Flag("string", "Name of the trust domain to federate with (e.g., example.org)"),
    "trustDomainBundleFormat": Flag(
        "string", 'The format of the bundle data (optional). Either "pem" or "spiffe".', "pem"
    ),
    "trustDomainBundlePath": Flag("string", "Path to the trust domain bundle data (optional)."),
}
_DOMAIN_ID = {"id": Flag("string", "SPIFFE ID of the trust domain")}
_AGENTS = {
    "attestationType": Flag("string", "Filter by attestation type, like join_token or x509pop."),
    "banned": Flag(
        "value",
        "Filter based on string received, 'true': banned agents, 'false': not banned agents, other value will return "
        "all.",
    ),
    "canReattest": Flag(
        "value",
        "Filter based on string received, 'true': agents that can reattest, 'false': agents that can't reattest, other "
        "value will return all.",
    ),
    "expiresBefore": Flag("string", 'Filter by expiration time (format: "2006-01-02 15:04:05 -0700 -07")'),
    "matchSelectorsOn": Flag("string", f"The match mode used when filtering by selectors. {_MODES}", "superset"),
    "selector": _SELECTOR,
}


def _format(text: str) -> dict[str, Flag]:
    return {"format": Flag("string", f'{text} Either "pem" or "spiffe".', "pem")}


COMMANDS: dict[str, dict[str, Flag]] = {
    "agent count": {**_AGENTS, **OUTPUT},
    "agent list": {**_AGENTS, **OUTPUT},
    "agent show": {"spiffeID": Flag("string", "The SPIFFE ID of the agent to show (agent identity)"), **OUTPUT},
    "bundle count": OUTPUT,
    "bundle delete": {
        **_DOMAIN_ID,
        "mode": Flag("string", "Deletion mode: one of restrict, delete, or dissociate", "restrict"),
        **OUTPUT,
    },
    "bundle list": {
        **_DOMAIN_ID,
        **_format("The format to list federated bundles (only pretty output format supports this flag)."),
        **OUTPUT,
    },
    "bundle set": {
        **_DOMAIN_ID,
        **_format("The format of the bundle data."),
        "path": Flag("string", "Path to the bundle data"),
        **OUTPUT,
    },
    "bundle show": {
        **_format("The format to show the bundle (only pretty output format supports this flag)."),
        **OUTPUT,
    },
    "entry count": {**_filters("count"), **OUTPUT},
    "entry create": {
        **_WRITE,
        "entryID": Flag(
            "string",
            "A custom ID for this registration entry (optional). If not set, a new entry ID will be generated",
        ),
        "node": Flag("bool", "If set, this entry will be applied to matching nodes rather than workloads", False),
        **OUTPUT,
    },
    "entry delete": {
        "entryID": Flag("string", "The Registration Entry ID of the record to delete."),
        "file": Flag(
            "string",
            "Path to a file containing a JSON structure for batch deletion (optional). If set to '-', read from stdin.",
        ),
        **OUTPUT,
    },
    "entry show": {
        **_filters("show"),
        "entryID": Flag("string", "The Entry ID of the records to show"),
        **OUTPUT,
    },
    "entry update": {
        **_WRITE,
        "entryID": Flag("string", "The Registration Entry ID of the record to update"),
        **OUTPUT,
    },
    "federation create": {**_RELATIONSHIP, **OUTPUT},
    "federation delete": {**_DOMAIN_ID, **OUTPUT},
    "federation list": OUTPUT,
    "federation refresh": {**_DOMAIN_ID, **OUTPUT},
    "federation show": {
        "trustDomain": Flag("string", "The trust domain name of the federation relationship to show"),
        **OUTPUT,
    },
    "federation update": {**_RELATIONSHIP, **OUTPUT},
    "healthcheck": {
        "shallow": Flag("bool", "Perform a less stringent health check", False),
        "verbose": Flag("bool", "Print verbose information", False),
    },
    "token generate": {
        "spiffeID": Flag("string", "Additional SPIFFE ID to assign the token owner (optional)"),
        "ttl": Flag("int", "Token TTL in seconds", 600),
        **OUTPUT,
    },
}
COMMANDS = {name: {**flags, **COMMON} for name, flags in COMMANDS.items()}
