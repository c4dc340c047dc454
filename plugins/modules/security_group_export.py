#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: security_group_export
short_description: Write what security groups a VPC has as a document
version_added: 0.1.0
description:
  - Writes all security groups of a VPC, ours and those of others, as one JSON document in the form that
    C(aws ec2 describe-security-groups) prints. The same groups give the same file.
  - M(zerotrust.platform.service_graph_audit) judges such a file, and so says what the live VPC really allows.
    M(zerotrust.platform.security_group_sync) takes it as a declaration.
  - Tells which groups lie on an interface beside one of ours, as their rules add up and no group shows that.
  - Changes nothing in AWS.
extends_documentation_fragment:
  - zerotrust.platform.aws
options:
  vpc_id:
    description: The VPC.
    type: str
    required: true
  dest:
    description: The JSON file.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Reads as always; O(dest) is compared and not written.
  diff_mode:
    support: full
    description: Shows O(dest) before and after.
  idempotent:
    support: full
    description: The same groups give the same file.
  action_group:
    support: full
    description: Use C(group/zerotrust.platform.aws) in C(module_defaults) to set the options of the connection.
    membership:
      - zerotrust.platform.aws
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system that reaches the EC2 API.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Read what the VPC has
  zerotrust.platform.security_group_export:
    region: eu-central-1
    vpc_id: vpc-0a1b2c3d4e5f60718
    dest: build/production/aws_live.json

- name: Say which flows it allows beyond or short of the graph
  zerotrust.platform.service_graph_audit:
    src: inventories/production/service_graph.yml
    documents: [build/production/aws_live.json]
    points: [security_group]
"""

RETURN = r"""
groups:
  description: How many security groups the VPC has.
  returned: success
  type: int
  sample: 12
companions:
  description: The first hundred groups that lie on an interface beside one that has an owner.
  returned: success
  type: list
  elements: dict
  contains:
    group:
      description: The group that has an owner.
      type: str
    other:
      description: The other one, with its id.
      type: str
    interfaces:
      description: On how many interfaces.
      type: int
    example:
      description: One of them.
      type: str
vpc:
  description: The VPC, its account and its region.
  returned: success
  type: dict
  sample: {"id": "vpc-0a1b2c3d4e5f60718", "account": "123456789012", "region": "eu-central-1"}
calls:
  description: How many calls of the API were made.
  returned: success
  type: int
  sample: 3
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: no_vpc
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import Work, require, run
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import (
    AWS_OPTIONS,
    EXCLUSIVE,
    TOGETHER,
    connect,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.export import companions, document
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.vpc import read_vpc
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.single import apply_file, plan_file

SHOWN = 100


def body(module: AnsibleModule) -> Work:
    params = module.params
    ec2 = connect(params)
    try:
        vpc = read_vpc(ec2, params["vpc_id"])
        beside = companions(ec2, vpc)
    finally:
        ec2.close()
    dest, content = params["dest"], document(vpc.groups)
    return Work(
        plan_file(dest, content),
        lambda: apply_file(dest, content),
        {
            "groups": len(vpc.groups),
            "companions": beside[:SHOWN],
            "vpc": {"id": vpc.ident, "account": vpc.account, "region": ec2.region},
            "calls": ec2.calls,
        },
        warnings=[
            f"{one['other']} lies on {one['interfaces']} interfaces of {one['group']}, such as {one['example']}: its "
            "rules add to what those workloads may do, and no group shows that"
            for one in beside[:SHOWN]
        ],
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AWS_OPTIONS,
            "vpc_id": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
        },
        mutually_exclusive=EXCLUSIVE,
        required_together=TOGETHER,
        supports_check_mode=True,
    )
    require(module, ("botocore", "botocore"))
    run(module, body)


if __name__ == "__main__":
    main()
