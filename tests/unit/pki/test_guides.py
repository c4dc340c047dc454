# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guides and the modules' documentation say is what there is."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.doc_fragments.pki import ModuleDocFragment
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection import shown
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import PRESETS, Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import CERTIFICATE_FILES
from ansible_collections.zerotrust.platform.plugins.modules import pki as pki_module
from ansible_collections.zerotrust.platform.plugins.modules import pki_info

from tests.unit.inspection.conftest import Folder, make, revocations

GUIDES = ("certificates.md", "certificate-renewal.md", "certificate-authorities.md")


def guide(repo, name):
    return (repo / "docs" / "guides" / name).read_text(encoding="utf-8")


def blocks(repo):
    return [
        yaml.safe_load(block)
        for name in GUIDES
        for block in re.findall(r"^```yaml\n(.*?)^```$", guide(repo, name), re.MULTILINE | re.DOTALL)
    ]


def declarations(repo):
    """Those of the guides' tasks, of their fragments, and of the module's examples."""
    found = [*blocks(repo), yaml.safe_load(pki_module.EXAMPLES)]
    for block in found:
        if isinstance(block, list):
            yield from (task["zerotrust.platform.pki"] for task in block if "zerotrust.platform.pki" in task)
        elif "certificates" in block:
            yield {"authorities": [{"name": "issuing"}], **block}


def test_every_declaration_of_the_documentation_is_accepted(repo):
    seen = 0
    for options in declarations(repo):
        data = {key: options[key] for key in ("authorities", "certificates", "revoked") if key in options}
        data = data or PRESETS.get(options.get("preset", ""), {})
        if data:
            assert parse([Source(data)]).requests
            seen += 1
    assert seen >= 14


def test_every_reason_is_in_the_guide(repo):
    source = (repo / "plugins" / "module_utils" / "_pki" / "checks.py").read_text(encoding="utf-8")
    reasons = set(re.findall(r'^    \("(\w+)", lambda request, facts, now', source, re.MULTILINE))
    assert len(reasons) > 20
    assert reasons <= set(re.findall(r"`(\w+)`", guide(repo, "certificates.md")))


def test_links_between_guides_lead_somewhere(repo):
    for name in GUIDES:
        for page, anchor in re.findall(r"\]\((?!http)([^)#]+)#?([^)]*)\)", guide(repo, name)):
            target = repo / "docs" / "guides" / page
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert not anchor or anchor in anchors


def test_every_file_is_in_the_guide(repo):
    table = re.findall(r"^\| `(\w+)` \|", guide(repo, "certificates.md"), re.MULTILINE)
    assert set(CERTIFICATE_FILES) <= set(table)


def test_p22_who_declares_ed25519_is_warned(repo):
    options = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    said = [str(options[kind]["suboptions"]["key_type"]["description"]) for kind in ("authorities", "certificates")]
    for text in [*said, guide(repo, "certificates.md")]:
        assert re.search(r"ed25519[^.]*web browsers|[Ww]eb browsers[^.]*do not accept V\(ed25519", text)


def test_alerts_are_about_metrics_that_there_are(repo, tmp_path):
    folder = Folder(tmp_path)
    authority = make("root", ca=True)
    folder.write("ca.pem", authority.certificate, authority.key, mode=0o644)
    folder.write("ca.crl", revocations(authority))
    written = set(re.findall(r"^# TYPE (\w+)", shown.metrics(folder.look()), re.MULTILINE))
    (rules,) = [block for block in blocks(repo) if "groups" in block]
    used = {name for rule in rules["groups"][0]["rules"] for name in re.findall(r"zerotrust_\w+", rule["expr"])}
    assert used == written
    assert set(re.findall(r"^\| `(zerotrust_\w+)`", guide(repo, "certificate-renewal.md"), re.MULTILINE)) == written


def test_every_problem_is_documented(repo):
    said = set(re.findall(r"C\((\w+)\)", " ".join(yaml.safe_load(pki_info.RETURN)["problems"]["description"])))
    table = guide(repo, "certificate-renewal.md").split("| problem |")[1].split("\n\n")[0]
    assert {code for line in table.splitlines() for code in re.findall(r"`(\w+)`", line.split("|")[1])} == said
    folder = repo / "plugins" / "module_utils" / "_inspection"
    sources = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    given = re.findall(r'(?:yield \(?\s*|Problem\(|problem\(|_failed\(path, mode, )"(\w+)"', sources)
    assert set(given) == said


@pytest.mark.parametrize(("at", "good"), [("2027-01-31T00:00:00Z", True), ("2027-01-31", False)])
def test_the_moment_of_the_guide_is_one(at, good):
    if good:
        assert pki_info.moment(at) == datetime(2027, 1, 31, tzinfo=timezone.utc)
    else:
        with pytest.raises(Exception, match="is no moment in UTC"):
            pki_info.moment(at)
    assert abs(pki_info.moment(None) - datetime.now(timezone.utc)) < timedelta(minutes=1)
