"""The rules that look at numbers: lower limits, gaps, calibration, coverage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medclassify.audit.gap_row import GapVerdict, verdict_of
from medclassify.gating.evidence import Evidence
from medclassify.gating.policy import Floor, Policy
from medclassify.records import Status


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule.

    Attributes:
        rule: Its name, e.g. ``auroc effusion``.
        passed: Whether it holds.
        reason: The numbers, and why.
        numbers: The same for programs.
    """

    rule: str
    passed: bool
    reason: str
    numbers: Mapping[str, Any]

    @property
    def line(self) -> str:
        return f"{'PASS' if self.passed else 'FAIL'}  {self.rule}: {self.reason}"


def number_rules(policy: Policy, evidence: Evidence) -> Iterator[RuleResult]:
    """Checks every rule of the policy on estimates and gaps."""
    for metric in ("auroc", "sensitivity", "specificity"):
        yield from _floors(metric, getattr(policy, metric), evidence)
    for metric, limit in policy.gap.items():
        yield _gap(metric, limit, policy.insufficient_gaps == "allow", evidence)
    for metric, band in (("calibration_intercept", policy.intercept), ("calibration_slope", policy.slope)):
        if band is not None:
            yield from (_band(metric, finding, band, evidence) for finding in _findings(evidence))
    yield from _coverage(policy.coverage, evidence)


def _findings(evidence: Evidence) -> list[str]:
    return list(evidence.audit["findings"])


def _floors(metric: str, floor: Floor, evidence: Evidence) -> Iterator[RuleResult]:
    if floor.macro is not None:
        macro, left_out = evidence.audit["macro_auroc"], evidence.audit["macro_left_out"]
        found = _floor(f"{metric} macro", macro, floor.macro)
        yield (
            found
            if not left_out
            else RuleResult(found.rule, False, f"{found.reason}; the mean leaves out {'; '.join(left_out)}", found.numbers)
        )
    if floor.every is None and not floor.findings:
        return
    findings = _findings(evidence)
    if floor.every is None:
        findings = list(floor.findings)
    for finding in dict.fromkeys([*findings, *floor.findings]):
        least = floor.findings.get(finding, floor.every)
        assert least is not None
        yield _floor(f"{metric} {finding}", _estimate(evidence, finding, metric), least)


def _floor(rule: str, found: Mapping[str, Any] | None, least: float) -> RuleResult:
    numbers = {**(found or {}), "minimum": least}
    if (why := _unusable(found)) or found is None:
        return RuleResult(rule, False, f"{why}; the lower limit must reach {least:.3f}", numbers)
    reaches = found["ci_low"] >= least
    return RuleResult(
        rule, reaches, f"{_text(found)}; the lower limit {'reaches' if reaches else 'is below'} {least:.3f}", numbers
    )


def _band(metric: str, finding: str, band: tuple[float, float], evidence: Evidence) -> RuleResult:
    found = _estimate(evidence, finding, metric)
    rule, numbers, limits = f"{metric} {finding}", {**(found or {}), "band": list(band)}, f"[{band[0]:g}, {band[1]:g}]"
    if (why := _unusable(found)) or found is None:
        return RuleResult(rule, False, f"{why}; the interval must lie in {limits}", numbers)
    within = band[0] <= found["ci_low"] and found["ci_high"] <= band[1]
    return RuleResult(rule, within, f"{_text(found)}; the interval {'lies' if within else 'does not lie'} in {limits}", numbers)


def _gap(metric: str, limit: float, allow: bool, evidence: Evidence) -> RuleResult:
    """Judges every comparison anew by the policy's own limit; the worst one is named."""
    rule = f"gap {metric}"
    rows = [row for row in evidence.audit["gaps"] if row["metric"] == metric]
    if not rows:
        return RuleResult(rule, False, "no subgroup was compared; audit with attributes", {"limit": limit, "comparisons": 0})
    judged = [(_verdict(row, limit), row) for row in rows]
    counts = {str(kind): sum(verdict is kind for verdict, _ in judged) for kind in GapVerdict}
    bad = [(verdict, row) for verdict, row in judged if verdict is GapVerdict.FAIL]
    bad = bad or ([] if allow else [each for each in judged if each[0] is GapVerdict.INSUFFICIENT])
    counted = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    text = f"{len(rows)} comparisons against ±{limit:g}: {counted}"
    if allow and counts["INSUFFICIENT"]:
        text += " (the policy allows INSUFFICIENT)"
    shown = bad or judged
    worst = max(shown, key=lambda each: (_far_end(each[1]) is not None, _far_end(each[1]) or 0.0))[1]
    numbers = {"limit": limit, "comparisons": len(rows), **counts, "worst": worst}
    return RuleResult(rule, not bad, f"{text}; widest: {_gap_text(worst)}", numbers)


def _verdict(row: Mapping[str, Any], limit: float) -> GapVerdict:
    if row["ci_low"] is None or row["ci_high"] is None:
        return GapVerdict.INSUFFICIENT
    return verdict_of(row["ci_low"], row["ci_high"], limit, Status(row["status"]))


def _far_end(row: Mapping[str, Any]) -> float | None:
    return None if row["ci_low"] is None else max(abs(row["ci_low"]), abs(row["ci_high"]))


def _gap_text(row: Mapping[str, Any]) -> str:
    where = f"{row['finding']}, {row['attribute']} {row['subgroup']} against {row['reference']}"
    if row["ci_low"] is None:
        return f"{where} not estimable ({row['note']})"
    few = ", too few samples for a verdict" if row["status"] != Status.OK else ""
    return f"{where} {row['gap']:+.3f} ({row['ci_low']:+.3f} to {row['ci_high']:+.3f}){few}"


def _coverage(wanted: Mapping[str, float], evidence: Evidence) -> Iterator[RuleResult]:
    if "predictions" in wanted:
        least, rule = wanted["predictions"], "coverage predictions"
        if evidence.scored is None:
            yield RuleResult(rule, False, "no manifest lies here, so it is not known which samples were to be scored", {})
        else:
            scored, samples = evidence.scored
            share = scored / samples if samples else 0.0
            text = f"{scored} of {samples} test samples scored for every finding ({share:.3f}); at least {least:.3f} is asked"
            yield RuleResult(rule, share >= least, text, {"scored": scored, "samples": samples, "minimum": least})
    if "conformal" in wanted:
        if not evidence.estimates["metric"].isin(["coverage_present", "coverage_absent"]).any():
            yield RuleResult("coverage conformal", False, "there are no conformal sets here", {"minimum": wanted["conformal"]})
            return
        for finding in _findings(evidence):
            for metric in ("coverage_present", "coverage_absent"):
                yield _floor(f"{metric} {finding}", _estimate(evidence, finding, metric), wanted["conformal"])


def _estimate(evidence: Evidence, finding: str, metric: str) -> dict[str, Any] | None:
    rows = evidence.estimates
    rows = rows[(rows["finding"] == finding) & (rows["attribute"] == "all") & (rows["metric"] == metric)]
    if rows.empty:
        return None
    row = rows.iloc[0]
    numbers = {name: None if pd.isna(row[name]) else float(row[name]) for name in ("estimate", "ci_low", "ci_high")}
    counts = {name: int(row[name]) for name in ("n", "n_pos", "n_neg")}
    return {"value": numbers.pop("estimate"), **numbers, **counts, "status": str(row["status"])}


def _unusable(found: Mapping[str, Any] | None) -> str:
    """Why an estimate cannot carry a rule, or "": the small-cell rule keeps unstable numbers out of claims."""
    if found is None:
        need = "a rate needs a column threshold or decision in the audited table"
        return f"INSUFFICIENT: the audit holds no such estimate; {need}"
    counts = f" (n₊={found['n_pos']}, n₋={found['n_neg']})" if "n_pos" in found else ""
    if found["value"] is None or found["ci_low"] is None:
        return f"INSUFFICIENT: not estimable{counts}"
    if found["status"] != Status.OK:
        return f"INSUFFICIENT: {_text(found)} rests on too few samples or patients{counts}"
    return ""


def _text(found: Mapping[str, Any]) -> str:
    return f"{found['value']:.3f} ({found['ci_low']:.3f} to {found['ci_high']:.3f})"
