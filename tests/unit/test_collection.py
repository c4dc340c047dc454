# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Galaxy inclusion, certification and our own conventions ask of the collection's files, where no linter asks it.

Every test gathers all offenders of its rule, so that one run shows them all.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

REPO = Path(__file__).resolve().parents[2]
FQCN = "zerotrust.platform."
# https://docs.ansible.com/ansible/devel/dev_guide/collections_galaxy_meta.html and the certification policy.
REQUIRED_TAGS = {
    "application",
    "cloud",
    "database",
    "eda",
    "infrastructure",
    "linux",
    "monitoring",
    "networking",
    "security",
    "storage",
    "tools",
    "windows",
}
PLUGIN_FOLDERS = {"action", "doc_fragments", "filter", "inventory", "lookup", "module_utils", "modules", "test"}
README_SECTIONS = [
    "Description",
    "Requirements",
    "Installation",
    "Use Cases",
    "Testing",
    "Contributing",
    "Support",
    "Release Notes and Roadmap",
    "Related Information",
    "License Information",
]


def load(path: str) -> Any:
    return yaml.safe_load((REPO / path).read_text(encoding="utf-8"))


def requirements(path: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (REPO / path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def own_files() -> list[Path]:
    """Files that are in git, or new and not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        cwd=REPO,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [REPO / name for name in listing.split("\0") if name and (REPO / name).is_file()]


def plugin_sources() -> list[Path]:
    return sorted((REPO / "plugins").rglob("*.py"))


def module_names() -> list[str]:
    return sorted(path.stem for path in (REPO / "plugins" / "modules").glob("*.py") if path.stem != "__init__")


def name_of(path: Path) -> str:
    return str(path.relative_to(REPO))


@pytest.fixture(scope="module")
def module_docs() -> dict[str, Any]:
    """Documentation of all modules, with its fragments, as ansible-doc shows it to a user."""
    names = [FQCN + name for name in module_names()]
    if not names:
        pytest.skip("there are no modules yet")
    command = ["ansible-doc", "--type", "module", "--json", *names]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    documents: dict[str, Any] = json.loads(result.stdout)
    assert sorted(documents) == names
    return documents


# --- galaxy.yml, meta/, dependencies


def test_galaxy_tags_are_few_and_hold_a_required_one() -> None:
    tags = load("galaxy.yml")["tags"]
    assert len(tags) <= 20
    assert set(tags) & REQUIRED_TAGS
    assert [tag for tag in tags if not re.fullmatch(r"[a-z][a-z0-9]*", tag)] == []


def test_galaxy_metadata_is_complete() -> None:
    galaxy = load("galaxy.yml")
    assert (galaxy["namespace"], galaxy["name"]) == ("zerotrust", "platform")
    assert galaxy["license"] == ["GPL-3.0-or-later"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", galaxy["version"])
    for key in ("repository", "documentation", "homepage", "issues"):
        assert galaxy[key].startswith("https://"), key
    assert (REPO / galaxy["readme"]).is_file()


def test_collection_dependencies_have_a_lower_bound() -> None:
    dependencies = load("galaxy.yml")["dependencies"]
    assert {name: bound for name, bound in dependencies.items() if not bound.startswith(">=")} == {}


def test_requires_ansible_is_in_full_form() -> None:
    assert re.fullmatch(r">=\d+\.\d+\.\d+(,<\d+\.\d+\.\d+)?", load("meta/runtime.yml")["requires_ansible"])


def test_every_place_names_the_same_ansible_cores() -> None:
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    older = re.search(r"^OLDER_CORES := (.*)$", makefile, re.MULTILINE)
    assert older is not None
    locked = re.search(r"^ansible-core==(\d+\.\d+)\.", (REPO / "requirements.lock").read_text(encoding="utf-8"), re.M)
    assert locked is not None
    workflow = load(".github/workflows/ci.yml")
    assert workflow["jobs"]["core"]["strategy"]["matrix"]["core"] == older[1].split()
    lowest = min([*older[1].split(), locked[1]], key=Version)
    assert load("meta/runtime.yml")["requires_ansible"].startswith(f">={lowest}.0")
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    assert [core for core in [*older[1].split(), locked[1]] if core not in readme] == []


def test_python_dependencies_have_lower_bounds_only_and_leave_ansible_core_to_the_user() -> None:
    wanted = requirements("requirements.txt")
    assert [str(one) for one in wanted if {part.operator for part in one.specifier} != {">="}] == []
    assert [one.name for one in wanted if one.name.lower() in ("ansible", "ansible-core")] == []


def test_lock_holds_every_dependency_with_hashes_and_no_index() -> None:
    lock = (REPO / "requirements.lock").read_text(encoding="utf-8")
    # A package may have two pins, for different versions of Python; the first is enough here.
    pins = re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE)
    pinned = {name: Version(version) for name, version in reversed(pins)}
    wanted = requirements("requirements.txt") + requirements("requirements.in")
    missing = [
        str(one)
        for one in wanted
        if one.name.lower().replace("_", "-") not in pinned
        or not one.specifier.contains(pinned[one.name.lower().replace("_", "-")], prereleases=True)
    ]
    assert missing == [], "run `make lock`"
    assert len(re.findall(r"^[a-z0-9-]+==.*\\\n    --hash=sha256:", lock, re.MULTILINE)) == len(pins)
    assert re.findall(r"^.*(?:://|--(?:extra-)?index|--find-links).*$", lock, re.MULTILINE) == []


def test_execution_environment_names_files_that_exist() -> None:
    dependencies = load("meta/execution-environment.yml")["dependencies"]
    assert dependencies["python"] == "requirements.txt"
    assert [name for name in dependencies.values() if not (REPO / name).is_file()] == []


def test_changelog_and_version_agree() -> None:
    releases = load("changelogs/changelog.yaml")["releases"]
    if releases:
        assert Version(load("galaxy.yml")["version"]) >= max(map(Version, releases))
        assert (REPO / "CHANGELOG.md").is_file()
    config = load("changelogs/config.yaml")
    known = {section for section, _title in config["sections"]} | {"release_summary", config["trivial_section_name"]}
    fragments = sorted((REPO / "changelogs" / "fragments").glob("*.y*ml"))
    unknown = {name_of(path): set(load(name_of(path))) - known for path in fragments}
    assert {name: sections for name, sections in unknown.items() if sections} == {}


# --- README and community files


def test_readme_has_the_sections_of_the_certified_template_in_order() -> None:
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", readme, re.MULTILINE)
    assert [heading for heading in headings if heading in README_SECTIONS] == README_SECTIONS


def test_readme_links_are_full_urls() -> None:
    """Galaxy and Automation Hub show the README away from the repository."""
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)", readme)
    assert targets != []
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


def test_readme_links_into_the_repository_hit_files() -> None:
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    base = re.escape(load("galaxy.yml")["repository"])
    paths = re.findall(base + r"/(?:blob|tree)/main/([^)\s#]+)", readme)
    assert paths != []
    assert [path for path in paths if not (REPO / path).exists()] == []


def test_code_of_conduct_is_there_and_linked() -> None:
    assert "docs.ansible.com" in (REPO / "CODE_OF_CONDUCT.md").read_text(encoding="utf-8")
    assert "CODE_OF_CONDUCT.md" in (REPO / "README.md").read_text(encoding="utf-8")


# --- plugins/


def test_only_known_plugin_folders() -> None:
    folders = {path.name for path in (REPO / "plugins").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - PLUGIN_FOLDERS == set()


def test_module_utils_are_private() -> None:
    utilities = [path.name for path in (REPO / "plugins" / "module_utils").iterdir() if path.name != "__pycache__"]
    assert utilities != []
    assert [name for name in utilities if not name.startswith("_")] == []


def test_every_package_in_module_utils_is_one() -> None:
    """AnsiballZ only packs a package's modules with an __init__.py beside them."""
    packages = {path.parent for path in (REPO / "plugins" / "module_utils").rglob("*.py")}
    packages.discard(REPO / "plugins" / "module_utils")
    assert [name_of(package) for package in sorted(packages) if not (package / "__init__.py").is_file()] == []


def test_plugins_carry_the_licence_header() -> None:
    """The header of this file, after the shebang and the coding line of a module."""
    header = "".join(Path(__file__).read_text(encoding="utf-8").splitlines(keepends=True)[:3])
    first_lines = re.compile(r"(#!/usr/bin/python\n)?(# -\*- coding: utf-8 -\*-\n)?\n?" + re.escape(header))
    sources = {path: path.read_text(encoding="utf-8") for path in plugin_sources()}
    assert [name_of(path) for path, source in sources.items() if source and not first_lines.match(source)] == []


def test_plugins_have_no_assert_and_stay_short() -> None:
    """`python -O` drops asserts. A file of much more than 500 lines is two."""
    asserting, long = [], []
    for path in plugin_sources():
        source = path.read_text(encoding="utf-8")
        if any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(source))):
            asserting.append(name_of(path))
        if source.count("\n") > 600:
            long.append(name_of(path))
    assert (asserting, long) == ([], [])


def test_only_the_ansible_module_of_module_utils_imports_ansible() -> None:
    offenders = []
    for path in (REPO / "plugins" / "module_utils").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "."]
            if path.name != "_ansible.py" and any(re.match(r"ansible(\.|$)", name) for name in names):
                offenders.append(f"{name_of(path)}:{node.lineno}")
    assert offenders == []


# --- modules


def test_modules_document_their_attributes(module_docs: dict[str, Any]) -> None:
    wanted = {"check_mode", "diff_mode", "idempotent", "platform"}
    missing = {name: sorted(wanted - set(module["doc"].get("attributes", {}))) for name, module in module_docs.items()}
    assert {name: attributes for name, attributes in missing.items() if attributes} == {}


def test_modules_have_examples_that_call_them_by_fqcn(module_docs: dict[str, Any]) -> None:
    offenders = [name for name, module in module_docs.items() if f"{name}:" not in (module["examples"] or "")]
    assert offenders == []


def test_info_modules_support_check_mode_and_return_no_facts(module_docs: dict[str, Any]) -> None:
    offenders = [
        name
        for name, module in module_docs.items()
        if name.endswith(("_info", "_facts"))
        and (
            module["doc"].get("attributes", {}).get("check_mode", {}).get("support") != "full"
            or "ansible_facts" in (module["return"] or {})
        )
    ]
    assert offenders == []


def test_action_groups_and_modules_match(module_docs: dict[str, Any]) -> None:
    """A module is in an action group of meta/runtime.yml exactly when its documentation says so."""
    groups = load("meta/runtime.yml").get("action_groups", {})
    listed = {
        (group, name if name.count(".") == 2 else FQCN + name)
        for group, names in groups.items()
        for name in names
        if isinstance(name, str)
    }
    documented = set()
    for name, module in module_docs.items():
        for attribute in module["doc"].get("attributes", {}).values():
            membership = attribute.get("membership", [])
            for group in [membership] if isinstance(membership, str) else membership:
                documented.add((group.rpartition(".")[2], name))
    assert listed == documented


# --- roles


def test_roles_have_argument_specs_defaults_apart_and_metadata() -> None:
    roles = [path for path in (REPO / "roles").glob("*") if path.is_dir()]
    wanted = ["meta/argument_specs.yml", "meta/main.yml", "README.md"]
    missing = [f"{name_of(role)}/{name}" for role in roles for name in wanted if not (role / name).is_file()]
    assert missing == []


def test_role_variables_are_all_in_argument_specs() -> None:
    undeclared = {}
    for defaults in (REPO / "roles").glob("*/defaults/main.yml"):
        role = defaults.parent.parent
        specifications = load(name_of(role / "meta" / "argument_specs.yml"))["argument_specs"]
        declared = {name for entry in specifications.values() for name in entry.get("options", {})}
        rest = set(load(name_of(defaults)) or {}) - declared
        if rest:
            undeclared[role.name] = sorted(rest)
    assert undeclared == {}


# --- files and settings


def test_no_big_or_unwanted_files() -> None:
    """Galaxy takes 20 MB; a file of more than 1 MB is an accident."""
    files = own_files()
    assert [name_of(path) for path in files if path.stat().st_size > 1024 * 1024] == []
    assert sum(path.stat().st_size for path in files) < 20 * 1024 * 1024
    unwanted = (".pyc", ".pem", ".key", ".p12", ".tar.gz", ".orig", ".rej", ".swp")
    assert [name_of(path) for path in files if path.name.endswith(unwanted)] == []


def test_linters_have_no_list_of_skipped_rules() -> None:
    lint = load(".ansible-lint")
    assert lint["profile"] == "production"
    assert [key for key in ("skip_list", "warn_list") if lint.get(key)] == []


def test_sanity_ignores_have_a_reason() -> None:
    bare = []
    for path in (REPO / "tests" / "sanity").glob("ignore-*.txt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        bare += [f"{path.name}: {line}" for line in lines if line.strip() and not re.search(r"\S+ \S+ # \S+", line)]
    assert bare == []
