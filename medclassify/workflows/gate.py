"""Holds a policy against a run or an audit, for CI."""

import hashlib
from dataclasses import asdict
from pathlib import Path

from medclassify.config import find_config
from medclassify.errors import ConfigError, GateError
from medclassify.gating import RuleResult, conduct_rules, load_policy, number_rules, read_evidence
from medclassify.runs import write_json
from medclassify.workflows.console import say


def gate(folder: Path, policy_path: Path, out: Path | None) -> list[RuleResult]:
    """Checks every rule, says one line for each, and writes them where asked.

    Args:
        folder: A finished run, or what ``evaluate`` or ``audit`` wrote.
        policy_path: The policy.
        out: A JSON file; nothing is written when left out.

    Returns:
        The rules, all of which pass.

    Raises:
        ConfigError: The policy is not usable, or ``out`` lies in the run, which would no longer be what its fit wrote.
        RunError: The folder is neither a run nor an audit.
        GateError: A rule fails; every rule has been said and written.
    """
    if out is not None and out.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"--out {out}: lies inside {folder}, which must stay what was written. Choose another place.")
    policy_path = find_config(policy_path)
    policy = load_policy(policy_path)
    evidence = read_evidence(folder)
    results = [*number_rules(policy, evidence), *conduct_rules(policy, evidence)]
    failed = [each for each in results if not each.passed]
    for each in results:
        say(each.line)
    if out is not None:
        write_json(
            out,
            {
                "schema": 1,
                "passed": not failed,
                "checked": folder.resolve().name,
                "policy": policy_path.name,
                "policy_sha256": hashlib.sha256(policy_path.read_bytes()).hexdigest(),
                "model_sha256": evidence.facts.get("provenance", {}).get("model_sha256"),
                "rules": [asdict(each) for each in results],
            },
        )
        say(f"wrote {out}")
    if not results:
        raise ConfigError(f"{policy_path}: no rule applies. Name at least one, e.g. auroc: {{every: 0.7}}.")
    if failed:
        names = ", ".join(each.rule for each in failed[:5]) + (", …" if len(failed) > 5 else "")
        raise GateError(f"{folder}: {len(failed)} of {len(results)} rules of {policy_path} FAIL: {names}. See the lines above.")
    return results
