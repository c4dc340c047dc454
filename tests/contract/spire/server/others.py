# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`bundle`, `federation`, `agent`, `token`, `healthcheck`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from tests.contract.spire.server import ids, trust
from tests.contract.spire.server.entry import CODES, nothing
from tests.contract.spire.server.goflags import failure
from tests.contract.spire.server.store import OK, Status, Store, status

Flags = Mapping[str, Any]
Input = Callable[[str], bytes]

HELP = """Usage: spire-server [--version] [--help] <command> [<args>]

Available commands are:
    agent                
    bundle               
    debug                
    entry                
    federation           
    healthcheck          Determines server health status
    jwt                  
    localauthority       
    logger               
    run                  Runs the server
    token                
    upstreamauthority    
    validate             Validates a SPIRE server configuration file
    x509                 

"""  # noqa: W291

#: What some commands say before the error of a call.
PREFIXES = {"federation list": "error listing federation relationship: "}


def _json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"


def _domain(text: str) -> str:
    return ids.parse_domain(text)


# -- bundles ---------------------------------------------------------------------------------------------------------


def _read_bundle(flags: Flags, take: Input) -> dict[str, Any]:
    return trust.read(take(flags["path"] or "-"), flags["format"], _domain(flags["id"]))


def _bundle_set(store: Store, flags: Flags, bundle: dict[str, Any]) -> str:
    domain = bundle["trust_domain"]
    result: dict[str, Any] = {"status": OK, "bundle": bundle}
    if domain == store.domain:
        text = "setting a federated bundle for the server's own trust domain is not allowed"
        result = {"status": status(3, text)}
    elif broken := store.broken():
        result = {"status": status(13, f"failed to set bundle: datastore-sql: {broken}")}
    else:
        store.keep("bundles", domain, bundle)
    if flags["output"] == "json":
        return _json({"results": [result]})
    if result["status"]["code"]:
        raise failure(f"failed to set federated bundle: {result['status']['message']}")
    return "bundle set.\n"


def _bundle_list(store: Store, flags: Flags, _input: None) -> str:
    if flags["id"]:
        found = store.document("bundles", _domain(flags["id"]))
        if found is None:
            raise failure("rpc error: code = NotFound desc = bundle not found")
        return _json(found) if flags["output"] == "json" else _shown(found, flags)
    bundles = store.documents("bundles")
    if flags["output"] == "json":
        return _json({"bundles": bundles, "next_page_token": ""})
    frame = "*" * 40
    return "".join(f"{frame}\n* {one['trust_domain']}\n{frame}\n{_shown(one, flags)}" for one in bundles)


def _shown(bundle: Mapping[str, Any], flags: Flags) -> str:
    return trust.document(bundle) if flags["format"] == "spiffe" else trust.pem(bundle)


def _bundle_show(store: Store, flags: Flags, _input: None) -> str:
    own = store.get("own")
    return _json(own) if flags["output"] == "json" else _shown(own, flags)


def _bundle_count(store: Store, _flags: Flags, _input: None) -> str:
    return _json({"count": 1 + len(store.documents("bundles"))})


def _bundle_delete(store: Store, flags: Flags, _input: None) -> str:
    domain = _domain(flags["id"])
    users = [row for row in store.rows() if domain in row["federates_with"]]
    state: Status = OK
    if store.document("bundles", domain) is None:
        state = status(5, "bundle not found")
    elif users and flags["mode"] == "restrict":
        why = f"cannot delete bundle; federated with {len(users)} registration entries"
        state = status(9, f"failed to delete federated bundle: datastore-sql: {why}")
    else:
        for row in users:
            row["federates_with"].remove(domain)
            store.db.execute("update entries set doc = ? where id = ?", (json.dumps(row), row["id"]))
        store.drop("bundles", domain)
    if flags["output"] == "json":
        return _json({"results": [{"status": state, "trust_domain": flags["id"]}]})
    if state["code"]:
        raise failure(f'failed to delete federated bundle "{flags["id"]}": {state["message"]}')
    return "bundle deleted.\n"


# -- federation ------------------------------------------------------------------------------------------------------


def _read_relationships(flags: Flags, take: Input) -> list[dict[str, Any]]:
    return [_relationship(item) for item in ids.load(take(flags["data"]))["federationRelationships"]]


def _relationship(item: Mapping[str, Any]) -> dict[str, Any]:
    profile = item["bundleEndpointProfile"]
    inner = {"endpoint_spiffe_id": item["endpointSPIFFEID"]} if profile == "https_spiffe" else {}
    made = {"trust_domain": item["trustDomain"], "bundle_endpoint_url": item["bundleEndpointURL"], profile: inner}
    if item.get("trustDomainBundle") is not None:
        form = item.get("trustDomainBundleFormat", "")
        content = item["trustDomainBundle"] if form == "pem" else json.dumps(item["trustDomainBundle"])
        made["trust_domain_bundle"] = trust.read(content.encode(), form, item["trustDomain"])
    return made


def _related(store: Store, row: Mapping[str, Any]) -> dict[str, Any]:
    bundle = store.document("bundles", row["trust_domain"])
    return {**row, "trust_domain_bundle": bundle} if bundle else dict(row)


def _federate(action: str) -> Callable[[Store, Flags, list[dict[str, Any]]], str]:
    def run(store: Store, _flags: Flags, rows: list[dict[str, Any]]) -> str:
        results = []
        for row in rows:
            domain = row["trust_domain"]
            there = store.document("relationships", domain) is not None
            failed = f"failed to {action} federation relationship:"
            if domain == store.domain:
                text = f"unable to {action} federation relationship for server trust domain"
                results.append({"status": status(3, text)})
            elif action == "create" and there:
                why = "datastore-sql: UNIQUE constraint failed: federated_trust_domains.trust_domain"
                results.append({"status": status(13, f"{failed} {why}")})
            elif action == "update" and not there:
                why = "unable to fetch federation relationship: record not found"
                results.append({"status": status(13, f"{failed} {why}")})
            else:
                bundle = row.pop("trust_domain_bundle", None)
                if bundle:
                    store.keep("bundles", domain, bundle)
                store.keep("relationships", domain, row)
                results.append({"status": OK, "federation_relationship": _related(store, row)})
        return _json({"results": results})

    return run


def _federation_list(store: Store, _flags: Flags, _input: None) -> str:
    rows = [_related(store, row) for row in store.documents("relationships")]
    return _json({"federation_relationships": rows, "next_page_token": ""})


def _federation_show(store: Store, flags: Flags, _input: None) -> str:
    found = store.document("relationships", flags["trustDomain"])
    if found is None:
        why = "rpc error: code = NotFound desc = federation relationship does not exist"
        raise failure(f"error showing federation relationship: {why}")
    return _json(_related(store, found))


def _federation_delete(store: Store, flags: Flags, _input: None) -> str:
    domain = _domain(flags["id"])
    state = OK if store.document("relationships", domain) else status(5, "federation relationship not found")
    store.drop("relationships", domain)
    return _json({"results": [{"status": state, "trust_domain": domain}]})


def _federation_refresh(store: Store, flags: Flags, _input: None) -> str:
    domain = _domain(flags["id"])
    found = store.document("relationships", domain)
    if found is None:
        raise failure(f'there is no federation relationship with trust domain "{flags["id"]}"')
    url = found["bundle_endpoint_url"]
    # What an endpoint would answer is set by the test.
    content = (store.get("endpoints") or {}).get(url)
    if content is None:
        host = url.split("/")[2]
        why = f'failed to fetch bundle: Get "{url}": dial tcp {host}: connect: connection refused'
        text = f"failed to refresh bundle: failed to fetch federated bundle from endpoint: {why}"
        raise failure(f"failed to refresh bundle: rpc error: code = Internal desc = {text}")
    store.keep("bundles", domain, trust.read(content.encode(), "spiffe", domain))
    return _json(OK)


# -- agents, tokens, health ------------------------------------------------------------------------------------------


def _agents(store: Store, flags: Flags, _input: None) -> str:
    agents = store.documents("agents")
    if flags["output"] == "json":
        return _json({"agents": agents, "next_page_token": ""})
    text = f"Found {len(agents)} attested agent{'' if len(agents) == 1 else 's'}:\n\n"
    for agent in agents:
        then = datetime.fromtimestamp(int(agent["x509svid_expires_at"]), timezone.utc)
        text += f"SPIFFE ID         : {ids.text_of(agent['id'])}\n"
        text += f"Attestation type  : {agent['attestation_type']}\n"
        text += f"Expiration time   : {then:%Y-%m-%d %H:%M:%S} +0000 UTC\n"
        text += f"Serial number     : {agent['x509svid_serial_number']}\n"
        text += f"Can re-attest     : {str(agent['can_reattest']).lower()}\n"
        text += f"Agent version     : {agent['agent_version']}\n\n"
    return text


def _agent_count(store: Store, _flags: Flags, _input: None) -> str:
    return _json({"count": len(store.documents("agents"))})


def _agent_show(store: Store, flags: Flags, _input: None) -> str:
    found = store.document("agents", flags["spiffeID"])
    if found is None:
        raise failure("rpc error: code = NotFound desc = agent not found")
    return _json(found)


def _read_token(flags: Flags, _take: Input) -> None:
    if flags["spiffeID"]:
        ids.parse_id(flags["spiffeID"])


def _token(store: Store, flags: Flags, _input: None) -> str:
    alias = flags["spiffeID"]
    if alias:
        domain, path = ids.parse_id(alias)
        wrong = ids.foreign({"trust_domain": domain, "path": path}, store.domain)
        if wrong:
            raise failure(f"rpc error: code = InvalidArgument desc = invalid agent ID: {wrong}")
    value = store.new_id()
    if alias:
        agent = {"trust_domain": store.domain, "path": f"/spire/agent/join_token/{value}"}
        flags_of = dict.fromkeys(("admin", "downstream", "store_svid"), False)
        numbers = dict.fromkeys(("x509_svid_ttl", "jwt_svid_ttl", "expires_at", "created_at", "revision_number"), 0)
        row = {"id": "", "spiffe_id": {"trust_domain": domain, "path": path}, "parent_id": agent, "hint": ""}
        selectors = [{"type": "spiffe_id", "value": ids.text_of(agent)}]
        store.create({**row, **flags_of, **numbers, "selectors": selectors, "federates_with": [], "dns_names": []})
    if flags["output"] == "json":
        return _json({"expires_at": str(store.now + flags["ttl"]), "value": value})
    return f"Token: {value}\n" + ("" if alias else "Warning: Missing SPIFFE ID.\n")


def _health(_store: Store, flags: Flags, _input: None) -> str:
    return ("Checking server health...\n" if flags["verbose"] else "") + "Server is healthy.\n"


COMMANDS: dict[str, tuple[Callable[..., Any], Callable[..., str]]] = {
    "agent count": (nothing, _agent_count),
    "agent list": (nothing, _agents),
    "agent show": (nothing, _agent_show),
    "bundle count": (nothing, _bundle_count),
    "bundle delete": (nothing, _bundle_delete),
    "bundle list": (nothing, _bundle_list),
    "bundle set": (_read_bundle, _bundle_set),
    "bundle show": (nothing, _bundle_show),
    "federation create": (_read_relationships, _federate("create")),
    "federation delete": (nothing, _federation_delete),
    "federation list": (nothing, _federation_list),
    "federation refresh": (nothing, _federation_refresh),
    "federation show": (nothing, _federation_show),
    "federation update": (_read_relationships, _federate("update")),
    "healthcheck": (nothing, _health),
    "token generate": (_read_token, _token),
}

__all__ = ["CODES", "COMMANDS", "HELP"]
