#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: security_group_sync
short_description: Make the security groups of a VPC as a service graph or documents declare them
version_added: 0.1.0
description:
  - Makes any number of security groups and their rules as declared, in one task, and with O(purge) deletes those of
    its own that are no longer declared.
  - Reads the VPC's groups and rules once, by pages, and compares. Only rules that differ are authorised or revoked,
    those of a group and direction in one call. New rules come before old ones go.
  - Groups may refer to each other in circles, as all groups are made before their rules.
  - Ours is what carries the tag C(zerotrust.platform/owner). Groups of others are never changed or deleted. A rule that
    somebody else has made in a group of ours is told, and removed only with O(purge).
  - The egress rule that AWS gives each new group is removed from groups of ours, for IPv4 and IPv6, if it is not
    declared.
  - What AWS would refuse in the middle of a run is refused before it. Names, descriptions and networks that it does not
    take, more rules than the quota, and a group that is to go and that an interface or another group still uses.
  - One task is for one VPC. For more of them, loop over this module, or let each VPC be a host of the inventory.
  - For a single odd group M(amazon.aws.ec2_security_group) is the tool.
extends_documentation_fragment:
  - zerotrust.platform.aws
  - zerotrust.platform.plan
  - zerotrust.platform.sync
options:
  vpc_id:
    description: The VPC.
    type: str
    required: true
  src:
    description:
      - Files of groups, or directories of them, JSON or YAML, on the machine where the module runs.
      - Each is a mapping with the list C(SecurityGroups), as M(zerotrust.platform.service_graph) renders it and
        C(aws ec2 describe-security-groups) prints it. A rule names a group of the same VPC by C(GroupName), any other
        one by C(GroupId), and C(UserId) if it is another account's.
    type: list
    elements: path
  graph:
    description: A service graph, whose groups are made as M(zerotrust.platform.service_graph) renders them.
    type: dict
    suboptions:
      src:
        description: The service graph's file, on the machine where the module runs.
        type: path
        required: true
      overrides:
        description: Values that are laid upon the file, mappings key by key. A value that is null removes the key.
        type: dict
  security_groups:
    description: The list C(SecurityGroups) inline. For a few groups; use O(src) for more.
    type: list
    elements: dict
  owner:
    description:
      - Whose the groups are. No two declarations for a VPC may share it, as each would take the groups of the other
        for its own.
      - By default the graph's name, or what the documents carry in their tag C(zerotrust.platform/owner).
    type: str
  tags:
    description: Tags that are set on each group and each rule of ours, beside the documents'. No tag is removed.
    type: dict
    default: {}
  max_rules:
    description:
      - How many rules a group may have in one direction, which is the account's quota C(Inbound or outbound rules per
        security group). They are counted as AWS does, for IPv4 and IPv6 apart, a group in both, and a prefix list as
        often as it has room for entries.
      - By default the graph's C(aws.max_rules), or 60.
    type: int
  groups_per_interface:
    description:
      - The account's quota C(Security groups per network interface). AWS allows no more than 1,000 rules for an
        interface, so O(max_rules) times this may not be more.
      - The module puts no group on an interface.
    type: int
    default: 5
  check_permissions:
    description:
      - Whether AWS is asked while planning if the credentials may do what the plan needs (C(DryRun)), with one call for
        each action. A plan for which a permission lacks is then refused.
      - A policy with conditions on tags or groups may answer for a real call otherwise.
    type: bool
    default: false
  state:
    description: With V(absent), all groups of O(owner) are deleted.
    type: str
    choices: [present, absent]
    default: present
requirements:
  - PyYAML >= 6.0
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows each group and each rule before and after.
  idempotent:
    support: full
    description: A second run with the same declaration changes nothing.
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
- name: Make the groups that the graph asks for, and delete those it no longer asks for
  zerotrust.platform.security_group_sync:
    region: eu-central-1
    vpc_id: vpc-0a1b2c3d4e5f60718
    graph:
      src: inventories/production/service_graph.yml
    purge: true

- name: Find the VPCs by their tag
  amazon.aws.ec2_vpc_net_info:
    region: "{{ item }}"
    filters: {"tag:environment": production}
  loop: [eu-central-1, us-east-1]
  register: found

- name: The same groups in each of them
  zerotrust.platform.security_group_sync:
    region: "{{ item.0.item }}"
    vpc_id: "{{ item.1.id }}"
    src: [build/production/rendered/security_group]
    purge: true
  loop: "{{ found.results | subelements('vpcs') }}"

- name: Make one group that lets an office in
  zerotrust.platform.security_group_sync:
    profile: staging
    vpc_id: vpc-0a1b2c3d4e5f60718
    owner: office
    security_groups:
      - GroupName: office-admin
        Description: Administration from the office
        IpPermissions:
          - IpProtocol: tcp
            FromPort: 22
            ToPort: 22
            IpRanges:
              - CidrIp: 203.0.113.0/24
                Description: the office
"""

RETURN = r"""
plan:
  description: What is, or in check mode would be, done.
  returned: success
  type: dict
outcome:
  description: What became of each write.
  returned: when something was written
  type: dict
vpc:
  description: The VPC, its account and its region.
  returned: success
  type: dict
  sample: {"id": "vpc-0a1b2c3d4e5f60718", "account": "123456789012", "region": "eu-central-1"}
calls:
  description: How many calls of the API were made, up to the end of the run. What was tried again counts once.
  returned: success
  type: int
  sample: 3
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: aws_limit
errors:
  description: Every mistake, one sentence each.
  returned: when there are several
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    GRAPH_OPTIONS,
    SYNC_OPTIONS,
    Work,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import (
    AWS_OPTIONS,
    EXCLUSIVE,
    TOGETHER,
    connect,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.provider import SecurityGroups, refuse_denied
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.source import declaration
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import prepare


def body(module: AnsibleModule) -> Work:
    params = module.params
    declared = declaration(params)
    ec2 = connect(params, declared.settings.concurrency)
    try:
        groups = SecurityGroups(ec2, params["vpc_id"], declared.groups, declared.options)
        sync = prepare(groups, groups.desired, declared.settings)
        if params["check_permissions"]:
            refuse_denied(groups.denied(sync.planned.stages))
    except BaseException:
        ec2.close()
        raise
    return Work(
        sync.plan,
        lambda: {**sync.apply(), "calls": ec2.calls},
        {
            "vpc": {"id": params["vpc_id"], "account": groups.vpc.account, "region": ec2.region},
            "calls": ec2.calls,
        },
        warnings=groups.warnings,
        close=ec2.close,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **SYNC_OPTIONS,
            **AWS_OPTIONS,
            "vpc_id": {"type": "str", "required": True},
            "src": {"type": "list", "elements": "path"},
            "graph": {
                "type": "dict",
                "options": GRAPH_OPTIONS,
            },
            "security_groups": {"type": "list", "elements": "dict"},
            "owner": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
            "max_rules": {"type": "int"},
            "groups_per_interface": {"type": "int", "default": 5},
            "check_permissions": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        mutually_exclusive=[*EXCLUSIVE, ("graph", "src"), ("graph", "security_groups")],
        required_together=TOGETHER,
        required_one_of=[("src", "graph", "security_groups", "owner")],
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"), ("botocore", "botocore"))
    run(module, body)


if __name__ == "__main__":
    main()
