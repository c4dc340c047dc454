# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs are told of their new files: once, after all are written, and again if it went wrong."""

from __future__ import annotations

import json

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuers import Surroundings
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import reloads_of

from tests.unit.pki.trees import DAY, api, data, reasons
from tests.unit.reconcile.faults import Crash, crash_at

NGINX, HAPROXY = ["systemctl", "reload", "nginx"], ["haproxy reload"]


class Host:
    """Takes note of what is run, and of what was written by then."""

    def __init__(self, pki):
        self.pki, self.commands, self.status, self.seen = pki, [], 0, []

    @property
    def around(self):
        return Surroundings(self.run)

    def run(self, command, environment):
        assert environment == {}
        self.commands.append(list(command))
        self.seen.append(self.pki.contents())
        return self.status, "", "no such unit\nat all\n" if self.status else ""


@pytest.fixture
def host(pki):
    return Host(pki)


def declared(**options):
    return data(
        api(reload=NGINX, **options), api(name="web", reload=NGINX), api(name="ha", reload=HAPROXY), api(name="none")
    )


def test_each_command_is_run_once_after_everything_is_written(pki, host):
    check = pki.plan(declared())
    first = pki.run(declared(), around=host.around)
    assert host.commands == [NGINX, HAPROXY]
    assert (
        reloads_of(check)
        == reloads_of(first)
        == [
            {"command": NGINX, "certificates": ["api", "web"]},
            {"command": HAPROXY, "certificates": ["ha"]},
        ]
    )
    assert {path for path in host.seen[0] if path.endswith("/cert.pem")} == {
        path for path in pki.contents() if path.endswith("/cert.pem")
    }
    second = pki.run(declared(), around=host.around)
    assert (second.plan.changed, reloads_of(second), host.commands) == (False, [], [NGINX, HAPROXY])


def test_only_programs_whose_files_have_changed_are_told(pki, host):
    pki.run(declared(), around=host.around)
    host.commands.clear()
    pki.path("ha/ca-cert.pem").unlink()
    pki.run(declared(), around=host.around)
    assert host.commands == [HAPROXY]
    pki.run(declared(dns=["b.zt"]), around=host.around)
    assert host.commands == [HAPROXY, NGINX]


def test_a_renewed_authority_reloads_those_that_send_its_certificate(pki, host):
    pki.run(declared(), around=host.around)
    host.commands.clear()
    pki.now += 640 * DAY
    pki.run(declared(), around=host.around)
    assert host.commands == [NGINX, HAPROXY]


def test_a_command_that_fails_is_told_and_run_again_until_it_succeeds(pki, host):
    host.status = 5
    with pytest.raises(PlatformError) as caught:
        pki.run(declared(), around=host.around)
    assert caught.value.reason == "reload_failed"
    assert len(caught.value.details) == 2
    assert caught.value.details[0] == (
        "the files of 'api', 'web' are written, and 'systemctl reload nginx' failed with exit code 5 (no such unit at "
        "all); the next run runs it again"
    )
    assert caught.value.result == {"changed": True}
    before = pki.contents()
    plan = pki.plan(declared())
    assert reasons(plan) == dict.fromkeys(("api", "ha", "web"), ("reload_pending",))
    assert [one["command"] for one in reloads_of(plan)] == [NGINX, HAPROXY]
    host.status = 0
    pki.run(declared(), around=host.around)
    assert host.commands == [NGINX, HAPROXY] * 2
    after = pki.contents()
    assert {path for path in after if after[path] != before[path]} == {".zerotrust-manifest.json"}
    assert not pki.run(declared(), around=host.around).plan.changed


def test_one_that_fails_keeps_no_other_from_being_told(pki, host):
    host.run = lambda command, _environment: (0, "", "") if list(command) == HAPROXY else (1, "", "")
    with pytest.raises(PlatformError, match="failed with exit code 1; the next run"):
        pki.run(declared(), around=host.around)
    assert reasons(pki.plan(declared())) == dict.fromkeys(("api", "web"), ("reload_pending",))


def test_p16_a_crash_at_any_point_never_leaves_a_program_with_old_files_untold(pki, host):
    renewed = declared(dns=["b.zt"])
    pki.run(declared(), around=host.around)
    for number in range(1, 400):
        host.commands.clear()
        try:
            pki.run(renewed, crash_at(number), around=host.around)
        except Crash:
            pass
        else:
            break
        pki.run(renewed, around=host.around)
        assert NGINX in host.commands
        pki.run(declared(), around=host.around)
    else:
        pytest.fail("the run never came to its end")


def test_who_is_no_longer_declared_is_owed_nothing(pki, host):
    host.status = 1
    with pytest.raises(PlatformError):
        pki.run(declared(), around=host.around)
    assert not pki.run(data(*(api(name=name) for name in ("api", "web", "ha", "none")))).plan.changed
    manifest = json.loads(pki.path(".zerotrust-manifest.json").read_bytes())
    assert manifest["attributes"]["reloads"] == ["api", "ha", "web"]


@pytest.mark.parametrize("value", ["systemctl reload nginx", [1]])
def test_p08_a_command_is_a_list_of_words(pki, value):
    with pytest.raises(PlatformError, match=r"certificates\[0\]\.reload"):
        pki.plan(data(api(reload=value)))
