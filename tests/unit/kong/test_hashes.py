# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files with `_transform: false`: secrets in them are the hashes that a node keeps, and are never hashed again."""

from __future__ import annotations

import contextlib
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.hashes import is_oauth2_hash_of, password_hash

from tests.contract.kong.client import Client
from tests.contract.kong.standin import standin
from tests.unit.kong.helpers import converges, everything, inline, planned, refused, synced

ID = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"


def consumer(password: str, secret: str, key: str = ID, tags: Optional[list[str]] = None, **head: Any) -> State:
    app = {
        "name": "app",
        "client_id": "app",
        "client_secret": secret,
        "hash_secret": True,
        "redirect_uris": ["http://h"],
    }
    return inline(
        consumers=[
            {
                "username": "c",
                **({"id": key} if key else {}),
                "basicauth_credentials": [{"username": "u", "password": password, "tags": tags or []}],
                "oauth2_credentials": [{**app, "tags": tags or []}],
            }
        ],
        **head,
    )


def dumped(admin: Client, tags: Optional[list[str]] = None, key: str = ID) -> State:
    """What Kong's own export says of a node."""
    (credential,), (app,) = admin.all("/basic-auths"), admin.all("/oauth2")
    return consumer(credential["password"], app["client_secret"], key, tags, _transform=False)


def test_deck_145_a_dump_changes_nothing_where_it_was_made(url: str, admin: Client) -> None:
    synced(url, consumer("EXAMPLE-PW", "EXAMPLE-SECRET"))
    before = everything(admin)
    assert synced(url, dumped(admin))["unchanged"] == 3
    assert converges(url, dumped(admin, ["new"]))["update"] == 2
    (credential,), (app,) = admin.all("/basic-auths"), admin.all("/oauth2")
    assert credential["password"] == before["/basic-auths"][0]["password"] == password_hash("EXAMPLE-PW", ID)
    assert is_oauth2_hash_of(app["client_secret"], "EXAMPLE-SECRET")
    # Who has the password goes on with it.
    assert converges(url, consumer("EXAMPLE-PW", "EXAMPLE-SECRET", tags=["new"]))["unchanged"] == 3


def test_deck_145_a_node_with_a_database_is_not_given_hashes(url: str, admin: Client) -> None:
    synced(url, consumer("EXAMPLE-PW", "EXAMPLE-SECRET"))
    what = dumped(admin)
    with standin() as other:
        error = refused(other.url, what)
    assert error.reason == "hashed_secret"
    assert error.details == (
        "consumers[0].basicauth_credentials[0]: basic-auth 'u': its password is a hash (_transform: false), which a "
        "node with a database would hash again; declare the password itself",
        "consumers[0].oauth2_credentials[0]: oauth2 'app': its client_secret is a hash (_transform: false), which a "
        "node with a database would hash again; declare the client_secret itself",
    )


def test_a_node_without_a_database_takes_hashes(url: str, admin: Client) -> None:
    synced(url, consumer("EXAMPLE-PW", "EXAMPLE-SECRET"))
    what = dumped(admin)
    with standin(mode="dbless") as other, contextlib.closing(Client(other.url)) as there:
        assert converges(other.url, what)["create"] == 3
        for path in ("/basic-auths", "/oauth2"):
            ((before,), (after,)) = admin.all(path), there.all(path)
            secret = "password" if path == "/basic-auths" else "client_secret"
            assert (after[secret], after["consumer"]) == (before[secret], before["consumer"])
        # Beside a change of something else they stay.
        assert converges(other.url, dumped(there, ["new"]))["update"] == 2
        assert converges(other.url, consumer("EXAMPLE-PW", "EXAMPLE-SECRET"))["update"] == 2


def test_a_hash_needs_the_consumer_that_it_was_made_with(url: str, admin: Client) -> None:
    synced(url, consumer("EXAMPLE-PW", "EXAMPLE-SECRET"))
    without, with_id = dumped(admin, key=""), dumped(admin)
    with standin(mode="dbless") as other:
        error = refused(other.url, without)
        assert error.message == (
            "consumers[0].basicauth_credentials[0]: basic-auth 'u': its password is a hash (_transform: false), made "
            "with the id of its consumer; declare that id, and no other than is on the node"
        )
        synced(other.url, inline(consumers=[{"username": "c", "id": OTHER}]))
        assert refused(other.url, with_id).reason == "hashed_secret"


def test_hashes_are_secrets(url: str, admin: Client) -> None:
    synced(url, consumer("EXAMPLE-PW", "EXAMPLE-SECRET"))
    what = dumped(admin, ["new"])
    with planned(url, what) as sync:
        assert password_hash("EXAMPLE-PW", ID) not in str(sync.plan.to_data())
        assert "pbkdf2" not in str(sync.plan.to_data())


def test_a_dumped_client_secret_is_not_hashed_when_something_else_changes() -> None:
    """Without `_transform: false`, as people edit dumps."""
    with standin(mode="dbless") as node, contextlib.closing(Client(node.url)) as admin:
        synced(node.url, consumer("EXAMPLE-PW", "EXAMPLE-SECRET"))
        (before,) = admin.all("/oauth2")
        pasted = consumer("EXAMPLE-PW", before["client_secret"])
        more = inline(services=[{"name": "s", "host": "h"}])
        converges(node.url, State((*pasted.entities, *more.entities), pasted.tags))
        assert admin.all("/oauth2")[0]["client_secret"] == before["client_secret"]
