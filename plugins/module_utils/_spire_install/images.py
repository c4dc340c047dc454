# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container images of an installation: one release each, by tag, and by digest where one is given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields

from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import Image, Images

REPOSITORIES: Mapping[str, str] = {
    "server": "ghcr.io/spiffe/spire-server",
    "agent": "ghcr.io/spiffe/spire-agent",
    "csi_driver": "ghcr.io/spiffe/spiffe-csi-driver",
    "csi_registrar": "registry.k8s.io/sig-storage/csi-node-driver-registrar",
    "oidc": "ghcr.io/spiffe/oidc-discovery-provider",
}
TAGS: Mapping[str, str] = {"csi_driver": "0.2.7", "csi_registrar": "v2.15.0"}
"""Of images with a version of their own; the others have SPIRE's."""

_TAG = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:[.+_-][A-Za-z0-9._-]{1,80})?")
_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9.-]*(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def reference(images: Images, name: str, version: str) -> str:
    """What a pod says of an image, such as ``ghcr.io/spiffe/spire-server:1.15.3@sha256:…``."""
    image: Image = getattr(images, name)
    digest = f"@{image.digest}" if image.digest else ""
    return f"{image.repository or REPOSITORIES[name]}:{tag(images, name, version)}{digest}"


def tag(images: Images, name: str, version: str = "") -> str:
    """version: SPIRE's, for the images that have it."""
    image: Image = getattr(images, name)
    return image.tag or TAGS.get(name, version)


def image_problems(images: Images, version: str, agent_version: str) -> Iterator[str]:
    versions = {"server": version, "agent": agent_version, "oidc": version}
    for item in fields(images):
        image: Image = getattr(images, item.name)
        place = f"kubernetes.images.{item.name}"
        if image.repository and not _REPOSITORY.fullmatch(image.repository):
            yield f"{place}.repository: {image.repository!r} is not an image such as ghcr.io/spiffe/spire-server"
        if image.digest and not _DIGEST.fullmatch(image.digest):
            yield f"{place}.digest: {image.digest!r} is not sha256: and 64 hexadecimal digits"
        if image.tag and not _TAG.fullmatch(image.tag):
            yield (
                f"{place}.tag: {image.tag!r} does not name one release; a tag that moves, such as latest, would make "
                "every restart an upgrade"
            )
        elif image.tag and item.name in versions and not _is_of(image.tag, versions[item.name]):
            yield f"{place}.tag: {image.tag!r} is not of the version {versions[item.name]} that is declared"


def _is_of(tag: str, version: str) -> bool:
    number = version.lstrip("v")
    return re.fullmatch(rf"v?{re.escape(number)}(?:[^0-9].*)?", tag) is not None
