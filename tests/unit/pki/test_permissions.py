# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Owner, group and mode of files."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from contextlib import contextmanager

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.permissions import Permission, refusals
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree

from tests.unit.pki.trees import api, data, reasons, refused
from tests.unit.reconcile.faults import CountingOs, Crash, crash_at

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
SOMEBODY, SOME_GROUP = 54321, 54322
OURS = {"owner": str(os.geteuid()), "group": str(os.getegid())}


def state(path):
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def access(**contents):
    return data(api(permissions=contents))


def test_p37_modes_as_declared_and_mended(pki):
    declared = access(key={"mode": "0640", **OURS}, certificate={"mode": "0444"})
    pki.run(declared)
    assert state(pki.path("api/key.pem")) == (0o640, os.geteuid(), os.getegid())
    assert state(pki.path("api/cert.pem"))[0] == 0o444
    assert state(pki.path("api/fullchain.pem"))[0] == 0o644
    assert not pki.run(declared).plan.changed
    serial = pki.certificate("api/cert.pem").serial_number
    # Back to the usual ones, and no certificate is issued for it.
    plan = pki.run(data())
    assert reasons(plan) == {"api": ("key_mode", "certificate_mode")}
    assert plan.warnings == [f"{pki.path('api/key.pem')}: the key could be read by others (0640)"]
    assert state(pki.path("api/key.pem"))[0] == 0o600
    assert pki.certificate("api/cert.pem").serial_number == serial


@as_root
def test_p37_a_foreign_owner_is_reported_and_mended(pki):
    declared = access(key={"owner": str(SOMEBODY), "group": str(SOME_GROUP)}, certificate={"group": str(SOME_GROUP)})
    pki.run(declared)
    assert state(pki.path("api/key.pem")) == (0o600, SOMEBODY, SOME_GROUP)
    assert state(pki.path("api/cert.pem")) == (0o644, 0, SOME_GROUP)
    assert not pki.run(declared).plan.changed
    os.chown(pki.path("api/key.pem"), 1, 1)
    os.chown(pki.path("authorities/root/key.pem"), 1, 1)
    # Who owns a file that is not secret, and for which nobody is declared, is nobody's business.
    os.chown(pki.path("api/ca-cert.pem"), 1, 1)
    check = pki.plan(declared)
    assert reasons(check) == {"api": ("key_owner", "key_group"), "root": ("key_owner",)}
    assert reasons(pki.run(declared)) == reasons(check)
    assert state(pki.path("api/key.pem")) == (0o600, SOMEBODY, SOME_GROUP)
    assert state(pki.path("authorities/root/key.pem"))[1] == 0
    assert not pki.run(declared).plan.changed


@as_root
def test_p37_the_key_has_its_owner_before_its_first_byte(pki):
    seen = set()

    def look(_count, name):
        if name == "write":
            seen.update(state(path) for path in pki.path("api").glob(".zerotrust-tmp-*"))

    pki.run(access(key={"owner": str(SOMEBODY), "mode": "0640"}), CountingOs(look))
    assert (0o640, SOMEBODY, os.getegid()) in seen
    assert {mode for mode, uid, _gid in seen if uid == SOMEBODY} == {0o640}


@as_root
def test_p16_owners_survive_a_key_that_is_replaced_with_its_certificate(pki):
    declared = access(key={"owner": str(SOMEBODY)}, certificate={"owner": str(SOMEBODY)})
    changed = data(api(key_type="ecdsa-p384", permissions=declared["certificates"][0]["permissions"]))
    for number in range(1, 400, 7):
        pki.run(declared)
        try:
            pki.run(changed, crash_at(number))
        except Crash:
            # Whatever a reader finds now, it is a pair and belongs to whom it should.
            assert pki.is_pair("api")
            owners = {os.stat(pki.path(f"api/{name}.pem")).st_uid for name in ("key", "cert")}
            assert owners == {SOMEBODY}
        else:
            break
        pki.run(changed)
        assert state(pki.path("api/key.pem")) == (0o600, SOMEBODY, os.getegid())
    else:
        pytest.fail("the run never came to its end")


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        (
            {"key": {"mode": "0644"}},
            "permissions.key.mode: '0644' allows more than 0640, the most for this file, as it",
        ),
        ({"key": {"mode": "0200"}}, "does not let the owner read"),
        ({"certificate": {"mode": "0664"}}, "allows more than 0644"),
        ({"certificate": {"mode": "0755"}}, "allows more than 0644"),
        ({"key": {"mode": "u=rw"}}, "is no mode of three octal digits"),
        ({"key": {"mode": "4600"}}, "is no mode of three octal digits"),
        ({"key": {"mode": 0o640}}, "put it in quotes"),
        ({"chain": {"mode": "0600"}}, "permissions.chain: is of no use: there is no files.chain"),
        ({"chian": {"mode": "0600"}}, "permissions.chian: is not known"),
        ({"key": {"user": "x"}}, "permissions.key.user: is not known"),
        ({"key": "0600"}, "is no mapping"),
    ],
)
def test_p08_mistakes_in_permissions(permission, text):
    with pytest.raises(PlatformError, match="certificates") as caught:
        parse([Source(access(**permission))])
    assert text in caught.value.message


def test_p37_nobody_of_that_name(pki):
    error = refused(pki, access(key={"owner": "nobody-of-that-name", "group": "no-such-group"}))
    assert (error.reason, len(error.details)) == ("unknown_owner", 2)
    assert "permissions.key: there is no user 'nobody-of-that-name' on this machine" in error.message


@contextmanager
def somebody_else():
    """An unprivileged user, whoever runs the tests."""
    before = os.geteuid(), os.getgroups()
    if before[0] == 0:
        os.setgroups([])
        os.seteuid(SOMEBODY)
    try:
        yield
    finally:
        if before[0] == 0:
            os.seteuid(0)
            os.setgroups(before[1])


def test_p37_what_only_root_can_do_is_refused_before_anything_is_written():
    with somebody_else():
        own = pwd.getpwuid(0).pw_name, grp.getgrgid(os.getegid()).gr_name
        assert [reason for reason, _text in refusals(Permission(owner=own[0]))] == ["owner"]
        assert [reason for reason, _text in refusals(Permission(group=str(SOME_GROUP)))] == ["group"]
        assert list(refusals(Permission(owner=str(os.geteuid()), group=own[1], mode=0o600))) == []


def test_a_key_that_others_could_read_is_not_shown_when_it_is_removed(pki):
    pki.run(access(key={"mode": "0640"}))
    plan = plan_tree(str(pki.root), {}, "zerotrust.platform.pki", hidden=True)
    assert {change.before for change in plan.plan.changes} == {None}
    apply_tree(plan)
    assert not pki.root.exists()
