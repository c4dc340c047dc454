# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What need not be found out again of a certificate whose files lie there as they were written.

Its facts follow from the request that it was issued for, and what its other files hold from the certificates above it.
So the manifest notes a digest of both. If that is still the same, and each file has the hash that the manifest has of
it, nothing but the time can be a reason: no extension is decoded and no file is made again to be compared, which is
most of the work of a run that changes nothing.
"""

from __future__ import annotations

import hashlib
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outputs import OUTPUTS

#: In the manifest's attributes: name -> digest.
ATTRIBUTE = "written_for"
#: Another one makes everything be looked at anew, as is needed when `checks` gets to know more.
_VERSION = "1"


def digest(item: Item) -> Optional[str]:
    """Of a request and of what is above it; None for what has to be looked at in any case.

    That is an authority, what is issued elsewhere, and what has a passphrase: the digest has no secrets in it.
    """
    request = item.request
    if request.is_authority or not item.issuers or not all(above.issuer.local for above in item.issuers):
        return None
    if item.passphrase is not None or any(OUTPUTS[content].sealed for content in request.files):
        return None
    text = f"{_VERSION}\n{_above(item)}\n{request!r}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _above(item: Item) -> str:
    """The certificates above it, also those that are trusted beside the root."""
    issuer = item.issuers[0]
    if not issuer.chain_digest:
        above = [one for each in item.issuers for one in (each, *each.beside)]
        issuer.chain_digest = " ".join(crypto.fingerprint(one.certificate) for one in above)
    return issuer.chain_digest
