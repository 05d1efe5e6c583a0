"""Faults that a test orders through `/_faults`: what goes wrong, for which calls or jobs, after how many, how often.

A rule is an object:
  fault    lost_answer | reset | status | stall | reset_in_body            for HTTP calls
           cancel_job | archive_job | purge_job | fail_job | fail_after_effect | fail_hotplug | slow_job      for jobs
  method, path    pattern (re.search) of the call, for HTTP faults; default: every call
  op, name        pattern of the opcode id and of the instance (or network, node) name, for job faults
  after    calls or jobs that pass unharmed first (default 0);  times   how often it strikes (default 1, null: always)
  status, html    for `status`: the code, and whether the body is an HTML page, as from a proxy
  seconds  for `stall` and `slow_job`;   error   for `fail_job`, `fail_after_effect`: ["OpExecError", "text"]
Not for: faults of the network itself (a proxy in front does those) and never on in production: the fake is no product.
"""

import re
from typing import Any

HTTP_FAULTS = frozenset({"lost_answer", "reset", "status", "stall", "reset_in_body"})
JOB_FAULTS = frozenset({"cancel_job", "archive_job", "purge_job", "fail_job", "fail_after_effect", "fail_hotplug", "slow_job"})
KEYS = frozenset({"fault", "method", "path", "op", "name", "after", "times", "status", "html", "seconds", "error"})

Rule = dict[str, Any]


class Faults:
    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        unknown = set(rule) - KEYS
        if unknown:
            raise ValueError(f"unknown key {sorted(unknown)[0]!r} in a fault")
        if rule.get("fault") not in HTTP_FAULTS | JOB_FAULTS:
            raise ValueError(f"unknown fault {rule.get('fault')!r}")
        self.rules.append({"after": 0, "times": 1, "seen": 0, "struck": 0, **rule})

    def clear(self) -> None:
        self.rules.clear()

    def for_call(self, method: str, path: str) -> Rule | None:
        """The rule that strikes this call, if one does."""
        return self._strike(
            rule
            for rule in self.rules
            if rule["fault"] in HTTP_FAULTS and re.search(rule.get("method", ""), method) and re.search(rule.get("path", ""), path)
        )

    def for_job(self, job: dict[str, Any]) -> Rule | None:
        opcode = job["ops"][0]
        keys = ("instance_name", "network_name", "node_name", "name")
        name = next((str(opcode[key]) for key in keys if opcode.get(key)), "")
        return self._strike(
            rule
            for rule in self.rules
            if rule["fault"] in JOB_FAULTS and re.search(rule.get("op", ""), opcode["OP_ID"]) and re.search(rule.get("name", ""), name)
        )

    @staticmethod
    def _strike(matching: Any) -> Rule | None:
        for rule in matching:
            rule["seen"] += 1
            if rule["seen"] <= rule["after"]:
                continue
            if rule["times"] is not None and rule["struck"] >= rule["times"]:
                continue
            rule["struck"] += 1
            return dict(rule)
        return None
