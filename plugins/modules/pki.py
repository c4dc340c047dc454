#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki
short_description: Keep a whole tree of authorities and certificates as declared
version_added: 0.1.0
description:
  - Makes certificate authorities and the certificates they issue, of any number, in one task, and keeps them as
    declared.
  - A certificate is issued again when it or its key is missing or broken, when they do not belong together, when
    something declared or its issuer has changed, and when its time to renew has come. Each cause is named.
  - A renewed certificate keeps its key, unless another key type or rotation is declared. So does a renewed authority,
    and what it has signed stays valid.
  - A root that gets a new key is replaced in three steps with a time between them in which both are trusted.
  - An authority remembers what it has issued, revokes what is declared, and publishes revocation lists.
  - Private keys have mode 0600 from their first byte on. They are never returned, shown or logged.
  - Key and certificate are a pair at any moment, and after a crash at any point. The next run finishes what was begun.
  - An authority is never silently replaced. If its key is lost or broken, or it has expired, the module fails and says
    what can be done.
  - This module takes many items in one call. Use O(src) for more than a few hundred of them.
extends_documentation_fragment:
  - zerotrust.platform.plan
options:
  path:
    description:
      - The directory of the tree. All other paths are relative to it.
      - It is made if it is missing. Files in it that the module has not made are left alone and reported.
    type: path
    required: true
  preset:
    description:
      - A ready-made tree. What else is declared comes on top of it.
      - V(development) is an authority valid for ten years with its certificate in C(ssl/ca-cert.pem), and a server
        certificate for C(localhost), C(127.0.0.1) and C(::1), valid for 365 days, in C(ssl/cert.pem) with its key in
        C(ssl/key.pem). The authority's own key is kept apart, in C(authorities/development/key.pem).
    type: str
    choices: [development]
  src:
    description:
      - A YAML or JSON file, on the machine where the module runs, with the keys C(authorities), C(certificates) and
        C(revoked). Each holds a list as in the options of these names.
      - Mistakes in it are reported with their line and column.
    type: path
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
        description: The type of its key. V(ecdsa-p256) by default.
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
  keystore_passphrase:
    description:
      - O(certificates[].keystore_passphrase) of all certificates that have none of their own.
      - With it, O(src) needs to hold no passphrase.
    type: str
  adopt:
    description:
      - Whether files that lie where declared ones should, and that the module has not made, are taken over.
      - What is as declared then stays, keys included. What is not is issued again. Otherwise such files are refused.
    type: bool
    default: false
  purge:
    description: Whether files of certificates that are no longer declared are removed, keys included, or stay.
    type: bool
    default: false
  archive:
    description:
      - A directory in O(path) to which O(purge) moves such files, below one named after the moment. Without it they are
        removed.
      - The module does not look into it again.
    type: str
  limits:
    description:
      - How much a declaration may change before it is refused, with the list of what it would have done.
      - What time, an accident or an authority's new key brings about does not count.
    type: dict
    suboptions:
      delete:
        description: How many percent of the files that are ours may be removed, from 0 to 100.
        type: int
        default: 30
      update:
        description: How many percent of the certificates may be issued anew because they are declared differently.
        type: int
        default: 30
      objects:
        description: With fewer files, or certificates, than this, the percentages are no limit.
        type: int
        default: 10
  state:
    description: With V(absent), all that the module has made in O(path) is removed, keys included, and nothing else.
    type: str
    choices: [present, absent]
    default: present
  lock_timeout:
    description: How many seconds to wait while another run works on the same tree.
    type: float
    default: 60
requirements:
  - cryptography >= 43.0
  - PyYAML >= 6.0, for O(src)
  - idna >= 3.7, for internationalised names
  - acme >= 4.1, for O(authorities[].acme)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows what each certificate was and is going to be; never a key.
  idempotent:
    support: full
    description: A second run with the same declaration changes nothing until the first certificate is to be renewed.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system, usually on the control node.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Make an authority and a certificate for localhost
  zerotrust.platform.pki:
    path: build/local/pki
    preset: development

- name: Make a root, an intermediate authority and two certificates
  zerotrust.platform.pki:
    path: /etc/example/pki
    authorities:
      - name: root
        common_name: Example Root
        key_type: ecdsa-p384
        path_length: 1
      - name: issuing
        common_name: Example Issuing
        issuer: root
        valid_for: 1825d
        path_length: 0
    certificates:
      - name: api
        issuer: issuing
        dns: [api.example.com, "*.api.example.com"]
        ips: [192.0.2.10]
      - name: frontend
        issuer: issuing
        profile: mtls
        uris: [spiffe://example.com/ns/shop/sa/frontend]
        valid_for: 30d

- name: Have a certificate of Let's Encrypt, and one of the company's own authority
  zerotrust.platform.pki:
    path: /etc/example/pki
    authorities:
      - name: letsencrypt
        acme:
          directory: https://acme-v02.api.letsencrypt.org/directory
          contact: [ops@example.com]
          terms_agreed: true
          challenge:
            webroot: /var/www/html
      - name: company
        external:
          ca_file: /etc/ssl/company-root.pem
    certificates:
      - name: www
        issuer: letsencrypt
        dns: [www.example.com]
      - name: intranet
        issuer: company
        dns: [intranet.example.com]

- name: Revoke a certificate whose key was stolen, and publish that
  zerotrust.platform.pki:
    path: /etc/example/pki
    authorities:
      - name: root
        passphrase: "{{ root_passphrase }}"
        crl:
          url: http://crl.example.com/root.crl
        files:
          crl_der: public/root.crl
    certificates:
      - name: api
        issuer: root
        dns: [api.example.com]
    revoked:
      - name: api
        before: "2026-01-31T12:00:00Z"
        reason: key_compromise

- name: Keep thousands of certificates that a file declares
  zerotrust.platform.pki:
    path: /etc/example/pki
    src: /etc/example/certificates.yml
    purge: true

- name: Remove all that was made
  zerotrust.platform.pki:
    path: build/local/pki
    state: absent
"""

RETURN = r"""
certificates:
  description:
    - The authorities and certificates as they are after the run, in check mode as they are before it. What is yet to be
      issued has null for its serial, times and fingerprint.
    - At most 1000, those that expire first. The others are counted in RV(certificates_left_off).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    kind:
      description: V(authority) or V(certificate).
      type: str
    issuer:
      description: The name of its issuer, null for a root.
      type: str
    subject:
      description: Its distinguished name.
      type: str
    profile:
      description: What it is used for.
      type: str
    state:
      description:
        - V(issued), V(pending) while an outside authority has not answered, or V(failed) if it has refused.
        - Null in check mode for what is yet to be issued.
      type: str
    names:
      description: The names it is for.
      type: list
      elements: str
    files:
      description: Where its files lie, relative to O(path).
      type: dict
    serial:
      description: Its serial number in hexadecimal.
      type: str
    not_before:
      description: The moment from which it is valid, in UTC.
      type: str
    not_after:
      description: The moment until which it is valid, in UTC.
      type: str
    days_left:
      description: How many whole days are left until then.
      type: int
    fingerprint_sha256:
      description: The SHA-256 of its DER form, in hexadecimal.
      type: str
  sample:
    - name: localhost
      kind: certificate
      issuer: development
      subject: CN=localhost
      profile: server
      state: issued
      names: [localhost, 127.0.0.1, "::1"]
      files: {key: ssl/key.pem, certificate: ssl/cert.pem}
      serial: 5f1c6e0bbd5a4a37a1a6e30f0b1a4c9d2e7f8091
      not_before: "2026-01-01T11:55:00Z"
      not_after: "2027-01-01T12:00:00Z"
      days_left: 364
      fingerprint_sha256: 7d5a99f603f231d53a4f39d1521f98d2e8bb279cf29bebfd0687dc98458e7f89
certificates_left_off:
  description: How many are not in RV(certificates).
  returned: success
  type: int
  sample: 0
reloads:
  description: The commands that were run, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    command:
      description: The command.
      type: list
      elements: str
    certificates:
      description: The names of the certificates that it was run for.
      type: list
      elements: str
  sample:
    - command: [systemctl, reload, nginx]
      certificates: [api, www]
plan:
  description: What is, or in check mode would be, done.
  returned: success
  type: dict
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: ca_key_mismatch
errors:
  description: Every mistake, one sentence each.
  returned: when there are several
  type: list
  elements: str
"""

import importlib.util
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    PLAN_OPTIONS,
    Work,
    refuse_missing,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._commands import Run
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import keystores
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.crypto import check_version
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import PRESETS, Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuers import Surroundings
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.options import (
    AUTHORITY_OPTIONS,
    CERTIFICATE_OPTIONS,
    REVOCATION_OPTIONS,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.planning import OWNER, plan_pki
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.source import read_source
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import apply_pki, records_of, reloads_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits

SHOWN_CERTIFICATES = 1000


def body(module: AnsibleModule) -> Work:
    check_version()
    params = module.params
    if params["state"] == "absent":
        tree_plan = plan_tree(params["path"], {}, OWNER, hidden=True)
        return Work(tree_plan.plan, lambda: apply_tree(tree_plan, params["lock_timeout"]), shown([]))
    declaration = parse(sources(params), passphrase(params["keystore_passphrase"]))
    if any(one.acme for one in declaration.outside) and not importlib.util.find_spec("acme"):
        refuse_missing(["acme"])
    tree = Tree(params["path"])

    def close() -> None:
        """What this run makes for its lock must not stay if the run comes to nothing; in use it is never empty."""
        if tree.made:
            tree.remove_root()
        else:
            tree.close()

    try:
        if not module.check_mode:
            tree.lock(params["lock_timeout"])
        plan = plan_pki(
            tree,
            declaration,
            datetime.now(timezone.utc),
            adopt=params["adopt"],
            purge=params["purge"],
            archive=params["archive"] or "",
            limits=Limits(**(params["limits"] or {})),
            around=Surroundings(runner(module), module.warn),
        )
    except BaseException:
        close()
        raise

    def apply() -> dict:
        try:
            return shown(apply_pki(tree, plan))
        except PlatformError as error:
            error.result = {**error.result, **shown(error.result.get("certificates", records_of(plan)))}
            raise

    result = {**shown(records_of(plan)), "reloads": reloads_of(plan)}
    return Work(plan.plan, apply, result, warnings=plan.warnings, close=close)


def runner(module: AnsibleModule) -> Run:
    def run_command(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
        try:
            return module.run_command(
                list(command),
                environ_update=dict(environment),
                # A command is what it says: no shell, and nothing that would look like one.
                expand_user_and_vars=False,
                handle_exceptions=False,
            )
        except OSError as error:
            return 127, "", error.strerror or str(error)

    return run_command


def passphrase(value: Optional[str]) -> str:
    try:
        return keystores.passphrase(value) if value is not None else ""
    except ValueError as error:
        raise PlatformError(f"keystore_passphrase: {error}", "bad_keystore_passphrase") from None


def sources(params: dict) -> list:
    found = []
    if params["preset"]:
        found.append(Source(PRESETS[params["preset"]], f"preset {params['preset']}"))
    if params["src"]:
        found.append(read_source(params["src"]))
    found.append(Source({key: params[key] for key in ("authorities", "certificates", "revoked") if params[key]}))
    return found


def shown(certificates: list) -> dict:
    # Those without an end are yet to be issued.
    first = sorted(certificates, key=lambda record: record["not_after"] or "")[:SHOWN_CERTIFICATES]
    names = {record["name"] for record in first}
    return {
        "certificates": [record for record in certificates if record["name"] in names],
        "certificates_left_off": len(certificates) - len(first),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **PLAN_OPTIONS,
            "path": {"type": "path", "required": True},
            "preset": {"type": "str", "choices": list(PRESETS)},
            "src": {"type": "path"},
            "authorities": {"type": "list", "elements": "dict", "options": AUTHORITY_OPTIONS},
            "certificates": {"type": "list", "elements": "dict", "options": CERTIFICATE_OPTIONS},
            "revoked": {"type": "list", "elements": "dict", "options": REVOCATION_OPTIONS},
            "keystore_passphrase": {"type": "str", "no_log": True},
            "adopt": {"type": "bool", "default": False},
            "purge": {"type": "bool", "default": False},
            "archive": {"type": "str"},
            "limits": {
                "type": "dict",
                "options": {
                    "delete": {"type": "int", "default": 30},
                    "update": {"type": "int", "default": 30},
                    "objects": {"type": "int", "default": 10},
                },
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "lock_timeout": {"type": "float", "default": 60},
        },
        required_if=[("state", "present", ("preset", "src", "authorities", "certificates"), True)],
        supports_check_mode=True,
    )
    require(module, ("cryptography", "cryptography"), ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
