# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to reach the API of AWS, with the names that amazon.aws has."""

    DOCUMENTATION = r"""
options:
  region:
    description: The region. By default E(AWS_REGION) or E(AWS_DEFAULT_REGION), or the profile's.
    type: str
    aliases: [aws_region, ec2_region]
  profile:
    description:
      - The profile in the files of AWS's configuration, which may also assume a role. By default E(AWS_PROFILE).
      - Without it and without O(access_key), credentials are found as every AWS tool finds them, in the environment,
        in C(~/.aws), or from the instance, container or pod. An AWX credential of the type Amazon Web Services is the
        environment.
    type: str
    aliases: [aws_profile]
  access_key:
    description: The id of an access key. By default E(AWS_ACCESS_KEY_ID).
    type: str
    aliases: [aws_access_key_id, aws_access_key]
  secret_key:
    description: Its secret. By default E(AWS_SECRET_ACCESS_KEY).
    type: str
    aliases: [aws_secret_access_key, aws_secret_key]
  session_token:
    description: The token of temporary credentials. By default E(AWS_SESSION_TOKEN).
    type: str
    aliases: [aws_session_token]
  endpoint_url:
    description: Another address of the EC2 API, such as that of a VPC endpoint. By default E(AWS_ENDPOINT_URL_EC2).
    type: str
    aliases: [aws_endpoint_url]
  aws_ca_bundle:
    description: A file with the certificate authorities that are trusted. By default E(AWS_CA_BUNDLE).
    type: path
  validate_certs:
    description: Whether the server's certificate is verified.
    type: bool
    default: true
requirements:
  - botocore >= 1.34.0
"""
