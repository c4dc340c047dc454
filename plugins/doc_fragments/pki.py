# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What a certificate tree declares. The options themselves are in `module_utils/_pki/options.py`."""

    DOCUMENTATION = r"""
options:
  authorities:
    description:
      - The authorities, root or intermediate.
      - One with O(authorities[].acme) or O(authorities[].external) is outside of the tree. Beside that it has a name
        only.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - What the authority is called here. Unique among authorities and certificates.
          - Letters, digits, V(.), V(_) and V(-), beginning with a letter or digit; at most 64.
        type: str
        required: true
      issuer:
        description: The name of the authority that signs this one. Without it the authority is a root and signs itself.
        type: str
      common_name:
        description: The common name in its subject. By default its O(authorities[].name).
        type: str
      subject:
        description: The rest of its subject.
        type: dict
        suboptions: &subject
          country:
            description: The country, as two capital letters (ISO 3166).
            type: str
          state:
            description: The state or province.
            type: str
          locality:
            description: The town.
            type: str
          organization:
            description: The organization.
            type: str
          organizational_unit:
            description: The part of the organization.
            type: str
      key_type:
        description:
          - The type of its key.
          - Web browsers, and many TLS libraries in their default settings, do not accept V(ed25519).
          - V(ecdsa-p256) by default.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, ecdsa-p521, ed25519, rsa-2048, rsa-3072, rsa-4096]
      valid_for:
        description:
          - For how long it is valid, as a number and a unit V(s), V(m), V(h), V(d), V(w) or V(y) (365 days).
          - No more than its issuer. V(3650d) by default. An authority outside of the tree decides itself.
        type: str
      renew_before:
        description:
          - How long before its end it is renewed.
          - By default a third of O(authorities[].valid_for), or the longest time that something it issues is valid, if
            that is more. So nothing it issues outlives it. With a new key on renewal, O(authorities[].overlap) comes on
            top of that.
        type: str
      backdate: &backdate
        description:
          - How far in the past its validity begins, as clocks differ. V(5m) by default, V(0s) for not at all.
          - Never before its issuer's.
        type: str
      rotation_policy:
        description:
          - Whether a renewed authority keeps its key (V(never), the default) or gets a new one (V(always)).
          - The new key of a root signs only when O(authorities[].overlap) has passed, see O(authorities[].generation).
        type: str
        choices: [never, always]
      generation:
        description:
          - A number, V(1) by default. With a greater one than before the authority gets a new key.
          - A root is replaced in three steps, and so it is when another key type or subject is declared. First the next
            root is made and all C(ca) files hold both. When O(authorities[].overlap) has passed, the next one takes
            over, and what the old one had issued is issued anew. When that time has passed once more, the old one
            goes.
          - An authority that another one signs gets its new key at once, and all it has issued is issued anew.
        type: int
      overlap:
        description:
          - How long everybody has to load new C(ca) files while a root is replaced, twice. V(30d) by default.
          - The previous key of another authority is kept as long, to sign its revocation list.
        type: str
      passphrase: &passphrase
        description:
          - The passphrase of its key. The key is encrypted (PKCS#8, PBES2 with AES-256) from its first byte on.
          - If the key lies there in clear, it is encrypted, with a warning. To change a passphrase, encrypt the key
            anew with C(openssl pkey).
          - In O(src), only the file is taken.
        type: str
      passphrase_file: &passphrase_file
        description:
          - An absolute path, on the machine where the module runs, of a file that holds that passphrase in one line.
          - Ansible's handling of secrets takes minutes for thousands of passphrases. For files it costs nothing.
        type: path
      extensions: &extensions
        description: Further extensions (RFC 5280), as the module knows nothing of.
        type: list
        elements: dict
        suboptions:
          oid:
            description: The object identifier in dotted form.
            type: str
            required: true
          critical:
            description: Whether a client that does not understand it must refuse the certificate.
            type: bool
            default: false
          value:
            description: Its value, DER in base64.
            type: str
            required: true
      path_length:
        description: How many further authorities may follow below this one. Any number by default.
        type: int
      name_constraints:
        description:
          - For which names the certificates below it may be (RFC 5280, 4.2.1.10). What does not fit is refused before
            anything is issued.
          - A kind of name of which nothing is permitted by name is free, unless it is excluded.
        type: dict
        suboptions:
          permitted: &subtrees
            description: What is permitted, or excluded.
            type: dict
            suboptions:
              dns:
                description: Domains, with all below them.
                type: list
                elements: str
              ips:
                description: Networks in CIDR notation.
                type: list
                elements: str
              uris:
                description: Hosts of URIs, or with V(.) before it all hosts below a domain.
                type: list
                elements: str
              emails:
                description: Mail addresses, hosts, or with V(.) before it all hosts below a domain.
                type: list
                elements: str
          excluded: *subtrees
      crl:
        description:
          - That it publishes a revocation list, also while nothing is revoked. Empty for the defaults.
          - Without it nothing of this authority can be revoked.
        type: dict
        suboptions:
          valid_for:
            description: When the next list is due. V(7d) by default.
            type: str
          renew_before:
            description: How long before that it is signed anew. Half of that time by default.
            type: str
          url:
            description: Where clients get it, by HTTP. The certificates that the authority issues say so.
            type: str
      imported:
        description:
          - Whether somebody else has made this authority, which is a root. Its key and certificate are put where
            O(authorities[].files) says. They are used, and never changed.
          - It is taken over with O(adopt). What its certificate says of path length and names is held.
          - V(false) by default.
        type: bool
      files:
        description: Where its files lie. Those not named lie in C(authorities/) and its name.
        type: dict
        suboptions:
          key:
            description: The private key (PKCS#8, mode 0600). C(key.pem) by default.
            type: str
          certificate:
            description: The certificate. C(cert.pem) by default.
            type: str
          crl:
            description:
              - The revocation list as PEM. C(crl.pem) by default, if there is one.
              - For a time after the authority has got a new key, it holds the list of the previous key too.
            type: str
          crl_der:
            description: The list of the present key in DER, as clients fetch it from O(authorities[].crl.url).
            type: str
      acme:
        description:
          - An ACME server (RFC 8555) such as Let's Encrypt, step-ca or Vault. Certificates that name this authority as
            their issuer are asked for there.
          - It issues for DNS names and IP addresses, and decides what else is in a certificate.
          - The account's key is kept in C(authorities/), the authority's name and C(key.pem).
          - Check mode contacts nobody. A run that has nothing to renew does not either.
        type: dict
        suboptions:
          directory:
            description: The URL of its directory, such as V(https://acme-v02.api.letsencrypt.org/directory).
            type: str
            required: true
          contact:
            description: Mail addresses where its operator reaches you.
            type: list
            elements: str
          terms_agreed:
            description: Whether you agree to its terms of service. If it has some and you do not, the run fails.
            type: bool
            default: false
          eab:
            description: The external account binding (RFC 8555, 7.3.4), for servers that know their customers.
            type: dict
            suboptions:
              kid:
                description: The key's identifier.
                type: str
                required: true
              hmac_key:
                description:
                  - The key, in base64url form, as the operator gave it to you.
                  - It must not lie in O(src), but come from a vault. The rest of a declaration can lie there.
                type: str
                required: true
          challenge:
            description: How the control of a name is shown. By default with V(http-01) and a listener on port 80.
            type: dict
            suboptions:
              type:
                description:
                  - V(http-01) answers an HTTP request to the name. It is for IP addresses too, not for wildcards.
                  - V(dns-01) makes a TXT record below the name.
                type: str
                choices: [http-01, dns-01]
                default: http-01
              webroot:
                description:
                  - A directory that a web server on this machine serves for the names. The answers are written to
                    C(.well-known/acme-challenge) in it and removed afterwards.
                  - Without it the module listens itself while it is asked.
                type: path
              address:
                description: The address to listen on, any by default.
                type: str
              port:
                description: The port to listen on. The server asks port 80, so that one has to be led here.
                type: int
                default: 80
              present:
                description:
                  - The command that makes a TXT record, as a list of its words. Three words are appended, V(present),
                    the record's name with a dot at its end, and its value, as for the C(exec) provider of lego.
                  - The environment variables E(CERTBOT_DOMAIN), E(CERTBOT_VALIDATION), E(CERTBOT_ALL_DOMAINS) and
                    E(CERTBOT_REMAINING_CHALLENGES) say the same, as for a hook of Certbot.
                  - It has to keep other values of the same record, and to end when the record can be seen.
                type: list
                elements: str
              cleanup:
                description:
                  - The command that removes it, with V(cleanup) in the place of V(present), and
                    E(CERTBOT_AUTH_OUTPUT) with what the other one has printed.
                  - By default the command in O(authorities[].acme.challenge.present).
                type: list
                elements: str
          ca_file:
            description: Roots for the directory's own TLS certificate. Those of the system by default.
            type: path
          preferred_chain:
            description: >-
              The common name of the root to which the chain should lead, if the server offers several, such as
              V(ISRG Root X1).
            type: str
          profile:
            description: >-
              One of the server's profiles, such as V(tlsserver) or V(shortlived). Otherwise the server's default.
            type: str
          timeout:
            description: How long to wait for one certificate. V(180s) by default.
            type: str
      external:
        description:
          - An authority that people or other programs run. A signing request is written to C(authorities/), the
            authority's name, C(requests/), the certificate's name and C(.pem). The certificate is V(pending) until the
            answer is there.
          - The answer is taken if its key, its names, its uses and the chain to the root are right, and refused
            otherwise. A certificate in use is left as it is until then.
        type: dict
        suboptions:
          ca_file:
            description: A file with its root, and with intermediate authorities that it does not send along.
            type: path
            required: true
          signed:
            description:
              - The directory where its answers are put, under the certificate's name and C(.pem), C(.crt), C(.cer),
                C(.der), C(.p7b) or C(.p7c), in PEM, DER or PKCS#7 form.
              - By default C(signed) beside the requests.
            type: path
  certificates:
    description: The certificates that are no authorities.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - What the certificate is called here. Unique among authorities and certificates.
          - Letters, digits, V(.), V(_) and V(-), beginning with a letter or digit; at most 64.
        type: str
        required: true
      issuer:
        description: The name of the authority that signs it.
        type: str
        required: true
      dns:
        description:
          - The DNS names it is for. V(*) may stand for the whole first label if at least two labels follow.
          - Internationalised names become A-labels, which begin with C(xn--). That needs the Python library C(idna).
        type: list
        elements: str
      ips:
        description: The IPv4 and IPv6 addresses it is for.
        type: list
        elements: str
      uris:
        description: The URIs it is for. A SPIFFE ID must be the only one.
        type: list
        elements: str
      emails:
        description: The mail addresses it is for.
        type: list
        elements: str
      profile:
        description:
          - What it is used for. V(mtls) is V(server) and V(client).
          - A certificate for a server needs at least one name, as clients ignore its common name.
        type: str
        choices: [server, client, mtls, code_signing]
        default: server
      common_name:
        description: The common name in its subject. By default the first of its DNS names, if it has any.
        type: str
      subject:
        description: The rest of its subject.
        type: dict
        suboptions: *subject
      key_type:
        description:
          - The type of its key. V(ecdsa-p256) by default.
          - Web browsers, and many TLS libraries in their default settings, do not accept V(ed25519).
        type: str
        choices: [ecdsa-p256, ecdsa-p384, ecdsa-p521, ed25519, rsa-2048, rsa-3072, rsa-4096]
      valid_for:
        description:
          - For how long it is valid, as a number and a unit V(s), V(m), V(h), V(d), V(w) or V(y) (365 days).
          - A certificate that would outlive its issuer is refused. V(365d) by default. An authority outside of the tree
            decides itself.
        type: str
      renew_before:
        description:
          - How long before its end it is renewed.
          - By default V(30d), or a third of O(certificates[].valid_for) if that is less.
          - If an authority outside of the tree has issued it, by default a third of the time that it has chosen.
        type: str
      backdate: *backdate
      rotation_policy:
        description: >-
          Whether it keeps its key when it is issued again (V(never), the default) or gets a new one (V(always)).
        type: str
        choices: [never, always]
      passphrase: *passphrase
      passphrase_file: *passphrase_file
      extensions: *extensions
      files:
        description:
          - Where its files lie. Without it, C(key.pem), C(cert.pem), C(fullchain.pem) and C(ca-cert.pem) in a directory
            of its name.
          - If some are named, only those and key and certificate are written.
        type: dict
        suboptions:
          key:
            description: The private key (PKCS#8, mode 0600).
            type: str
          certificate:
            description: The certificate alone.
            type: str
          chain:
            description: The intermediate authorities, the issuer first. Empty if a root has issued the certificate.
            type: str
          fullchain:
            description: The certificate and the intermediate authorities, as servers send them.
            type: str
          ca:
            description: >-
              The root, which is what the other side has to trust. An ACME server does not send it, so there is no such
              file.
            type: str
          combined:
            description:
              - The private key, the certificate and the intermediate authorities in one PEM file, as HAProxy, Postfix
                and MongoDB want it.
            type: str
          pkcs12:
            description:
              - A PKCS#12 file (AES-256) with the private key, the certificate and the intermediate authorities. Its
                alias is O(certificates[].name). Needs a passphrase.
              - Its bytes are random. It is written anew only if what it is made of has changed.
            type: str
          jks:
            description:
              - The same as a Java keystore of the old format, made by C(keytool), which has to be on the machine.
              - Java 8 and later read C(pkcs12) as well.
            type: str
          kubernetes_secret:
            description:
              - A manifest of a Kubernetes secret of the type C(kubernetes.io/tls), with C(tls.crt), C(tls.key) and
                C(ca.crt).
            type: str
      permissions:
        description:
          - Who may read its files, where it is not as usual. By default they belong to the user that runs the module,
            with mode 0600 if they hold a private key, and 0644 otherwise.
          - An owner or mode that is another on disk is put right.
        type: dict
        suboptions:
          key: &permission
            description: Of the file with this content in O(certificates[].files).
            type: dict
            suboptions:
              owner:
                description: The name or number of the user it belongs to. Only root can give it to another one.
                type: str
              group:
                description: The name or number of its group.
                type: str
              mode:
                description:
                  - Its mode as three octal digits, in quotes, such as V('0640').
                  - At most 0640 with a private key in it, and 0644 without one.
                type: str
          certificate: *permission
          chain: *permission
          fullchain: *permission
          ca: *permission
          combined: *permission
          pkcs12: *permission
          jks: *permission
          kubernetes_secret: *permission
      keystore_passphrase:
        description:
          - The passphrase of its PKCS#12 file and its Java keystore, at least six characters of printable ASCII.
          - With another one the files are written anew.
        type: str
      kubernetes_secret:
        description: What the secret is called in C(kubernetes_secret) of O(certificates[].files).
        type: dict
        suboptions:
          name:
            description: Its name. By default O(certificates[].name).
            type: str
          namespace:
            description: Its namespace. Without it, whoever applies the manifest decides.
            type: str
      reload:
        description:
          - The command that tells a program of its new files, such as V([systemctl, reload, nginx]). It is run on the
            machine where the module runs, when all files are written, if one of this certificate is among them.
          - A command that several certificates have is run once. There is no shell.
          - If it fails, the task fails, the files stay, and the next run runs it again, even if nothing else is to be
            done.
        type: list
        elements: str
  revoked:
    description:
      - Certificates that are not to be trusted any more. They are on the revocation lists of their authorities until
        they expire, whatever is declared later.
      - One that is still declared is issued anew with another key.
    type: list
    elements: dict
    suboptions:
      serial:
        description: The serial number of a certificate, in hexadecimal. Needs O(revoked[].issuer).
        type: str
      issuer:
        description: The name of the authority in the tree that has issued it.
        type: str
      name:
        description: The name under which certificates were declared, instead of a serial number.
        type: str
      before:
        description:
          - With O(revoked[].name), the moment in UTC, such as V(2026-01-31T12:00:00Z), until which they were issued.
          - Needed if the name is still declared. By default all.
        type: str
      reason:
        description: Why, as in RFC 5280, 5.3.1.
        type: str
        choices:
          - unspecified
          - key_compromise
          - ca_compromise
          - affiliation_changed
          - superseded
          - cessation_of_operation
          - privilege_withdrawn
          - aa_compromise
        default: unspecified
"""
