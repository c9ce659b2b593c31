"""The rules that look at how a model came about: leakage, weights, data, attributes, explanations, provenance."""

from collections.abc import Iterator

from medclassify.gating.evidence import Evidence
from medclassify.gating.policy import Policy
from medclassify.gating.rules import RuleResult
from medclassify.runs import verify

_UNKNOWN = "not known: this is an audit of predictions made elsewhere"


def conduct_rules(policy: Policy, evidence: Evidence) -> Iterator[RuleResult]:
    """Checks what the policy requires. What is not known fails."""
    if policy.declared is not None:
        yield _attributes(policy, evidence)
    checks = {
        "leakage_clean": lambda: _leakage(policy, evidence),
        "no_fallback_weights": lambda: _weights(evidence),
        "not_synthetic": lambda: _synthetic(evidence),
        "explanations_sane": lambda: _sanity(evidence),
        "verified": lambda: _verified(evidence),
    }
    for name in policy.required:
        passed, reason = checks[name]()
        yield RuleResult(name, passed, reason, {})


def _attributes(policy: Policy, evidence: Evidence) -> RuleResult:
    """Every attribute that could be a group is audited or exempt with a reason, and what is audited is what was declared."""
    assert policy.declared is not None
    audited, declared = set(evidence.audit["attributes"]), set(policy.declared)
    wrong = [
        (sorted(audited - declared), "audited but not declared"),
        (sorted(declared - audited), "declared but not audited"),
        (sorted(set(evidence.groups or ()) - audited - set(policy.exempt)), "in the manifest, neither audited nor exempt"),
    ]
    numbers = {"audited": sorted(audited), "declared": sorted(declared), "groups": evidence.groups}
    said = [f"{what}: {', '.join(names)}" for names, what in wrong if names]
    if said:
        return RuleResult("attributes", False, "; ".join(said), numbers)
    text = f"audited and declared: {', '.join(sorted(audited)) or 'none'}"
    if evidence.groups is None:
        text += "; no manifest lies here, so attributes that were never audited cannot be seen"
    elif policy.exempt:
        text += f"; exempt: {', '.join(f'{name} ({reason})' for name, reason in policy.exempt.items())}"
    return RuleResult("attributes", True, text, numbers)


def _leakage(policy: Policy, evidence: Evidence) -> tuple[bool, str]:
    if "clean" not in evidence.leakage:
        return False, _UNKNOWN if not evidence.of_own_model else "no leakage check is stored"
    allowed = evidence.leakage.get("allowed")
    found = [each.get("text", str(each)) if isinstance(each, dict) else str(each) for each in evidence.leakage["findings"]]
    seen = f"{len(found)} found, first: {found[0]}" if found else "nothing stands in two splits"
    if allowed is not None and allowed in policy.accepted_leakage:
        return True, f"{seen}; leakage was allowed for a reason that the policy accepts: {allowed!r}"
    if allowed is not None:
        return False, f"{seen}; leakage was allowed for a reason that the policy does not accept: {allowed!r}"
    checked = ", ".join(f"{count} {name}" for name, count in evidence.leakage.get("checked", {}).items())
    return bool(evidence.leakage["clean"]), f"{seen}{f' (compared {checked})' if checked else ''}"


def _weights(evidence: Evidence) -> tuple[bool, str]:
    if not evidence.facts.get("weights"):
        return False, _UNKNOWN
    weights = evidence.facts["weights"]
    if weights.get("fallback"):
        return False, f"random weights stood in for {weights.get('requested')} ({weights.get('note')})"
    return True, f"initial weights: {weights.get('source')}, as requested ({weights.get('requested')})"


def _synthetic(evidence: Evidence) -> tuple[bool, str]:
    if not evidence.of_own_model:
        return False, _UNKNOWN
    synthetic = bool(evidence.audit["synthetic"])
    return not synthetic, "the images were rendered by a program" if synthetic else "the images are not marked as rendered"


def _sanity(evidence: Evidence) -> tuple[bool, str]:
    if evidence.sanity is None:
        return False, "the sanity check of the saliency maps has not been run"
    passed = bool(evidence.sanity.get("passed"))
    method = evidence.sanity.get("method") or "sanity check"
    if passed:
        return True, f"{method}: every check passed"
    return False, f"{method}: {'; '.join(evidence.sanity.get('reasons') or ['the check failed'])}"


def _verified(evidence: Evidence) -> tuple[bool, str]:
    if evidence.run is None:
        return False, "not a run, so there is no provenance to verify"
    found = verify(evidence.run)
    if found.clean:
        return True, f"{len(found.unchanged)} files are what the run wrote"
    kinds = (("changed", found.changed), ("missing", found.missing), ("added", found.added))
    return False, "; ".join(f"{len(names)} {kind}, first {names[0]}" for kind, names in kinds if names)
