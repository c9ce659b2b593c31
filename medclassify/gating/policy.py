"""A policy file: what must hold before a model may pass."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from medclassify.errors import ConfigError

REQUIREMENTS = ("leakage_clean", "no_fallback_weights", "not_synthetic", "explanations_sane", "verified")
GAP_METRICS = ("auroc", "sensitivity", "specificity")


@dataclass(frozen=True, slots=True)
class Floor:
    """What the lower limit of a 95 % interval must reach.

    Attributes:
        macro: For the mean over the findings; None is no rule.
        every: For every finding that is not named.
        findings: For single findings.
    """

    macro: float | None = None
    every: float | None = None
    findings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules. What a policy does not name is not asked.

    Attributes:
        auroc: Floors of the AUROC.
        sensitivity: Floors of the sensitivity at the frozen threshold.
        specificity: Floors of the specificity at the frozen threshold.
        gap: Metric → the furthest that the interval of a subgroup gap may reach.
        insufficient_gaps: ``fail``, or ``allow``: gaps that the sample cannot judge pass.
        intercept: The band that the interval of every calibration intercept must lie in.
        slope: The band that the interval of every calibration slope must lie in.
        coverage: ``predictions``: the share of the test samples that were scored; ``conformal``: the lower limit of the share
            of samples whose set holds the truth, for every finding and truth.
        declared: The attributes that are audited; None is no rule.
        exempt: Attribute of the manifest → why it is not audited.
        required: Of ``REQUIREMENTS``.
        accepted_leakage: Reasons, word by word, for which leakage was allowed and is accepted here.
    """

    auroc: Floor = field(default_factory=Floor)
    sensitivity: Floor = field(default_factory=Floor)
    specificity: Floor = field(default_factory=Floor)
    gap: Mapping[str, float] = field(default_factory=dict)
    insufficient_gaps: str = "fail"
    intercept: tuple[float, float] | None = None
    slope: tuple[float, float] | None = None
    coverage: Mapping[str, float] = field(default_factory=dict)
    declared: tuple[str, ...] | None = None
    exempt: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    accepted_leakage: tuple[str, ...] = ()


def load_policy(path: Path) -> Policy:
    """Reads and types a policy file.

    Raises:
        ConfigError: It is not there, not YAML, has no rule, an unknown key (the nearest known one is named), or a value that
            cannot be meant.
    """
    values = _Section(str(path), "", _read(path))
    values.known("auroc", "sensitivity", "specificity", "gap", "calibration", "coverage", "attributes", "require",
                 "accepted_leakage")  # fmt: skip
    if not values.given:
        raise ConfigError(f"{path}: holds no rule, so that anything would pass. Name at least one, e.g. auroc: {{every: 0.7}}.")
    gap, calibration = values.section("gap", *GAP_METRICS, "insufficient"), values.section("calibration", "intercept", "slope")
    coverage = values.section("coverage", "predictions", "conformal")
    attributes = values.section("attributes", "declared", "exempt")
    exempt = attributes.mapping("exempt")
    for name, reason in exempt.items():
        if not isinstance(reason, str) or not reason.strip():
            raise ConfigError(f"{path}: attributes.exempt.{name} must say why it is not audited, received {reason!r}.")
    accepted = values.texts("accepted_leakage") or ()
    return Policy(
        **{name: _floor(values, name) for name in GAP_METRICS},
        gap={name: gap.number(name, 0, 1) for name in GAP_METRICS if name in gap.given},
        insufficient_gaps=gap.choice("insufficient", ("fail", "allow")),
        intercept=calibration.band("intercept"),
        slope=calibration.band("slope"),
        coverage={name: coverage.number(name, 0, 1) for name in coverage.given},
        declared=attributes.texts("declared"),
        exempt=exempt,
        required=values.texts("require", REQUIREMENTS) or (),
        accepted_leakage=accepted,
    )


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such policy. Examples are in configs/policies/, e.g. configs/policies/run.yaml."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Give a YAML text file.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML ({' '.join(str(error).split())}). Mend that line.") from error


def _floor(values: "_Section", name: str) -> Floor:
    keys = ("macro", "every", "findings") if name == "auroc" else ("every", "findings")
    part = values.section(name, *keys)
    findings = part.mapping("findings")
    inner = _Section(part.where, f"{name}.findings.", findings)
    single = {key: part.number(key, 0, 1) for key in ("macro", "every") if key in part.given}
    return Floor(**single, findings={finding: inner.number(finding, 0, 1) for finding in findings})


class _Section:
    """One mapping of the file; every complaint names file and key."""

    def __init__(self, where: str, prefix: str, given: Any) -> None:
        if given is not None and not isinstance(given, dict):
            key = prefix.rstrip(".") or "a policy"
            raise ConfigError(f"{where}: {key} is a mapping of keys to values, received {given!r}.")
        self.where, self.prefix, self.given = where, prefix, given or {}

    def known(self, *names: str) -> None:
        for key in self.given:
            if key not in names:
                near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.5)
                hint = f"; did you mean {self.prefix}{near[0]}?" if near else f". Known are: {', '.join(names)}."
                raise ConfigError(f"{self.where}: {self.prefix}{key} is not known{hint}")

    def section(self, name: str, *names: str) -> "_Section":
        part = _Section(self.where, f"{self.prefix}{name}.", self.given.get(name))
        part.known(*names)
        return part

    def mapping(self, name: str) -> dict[str, Any]:
        return _Section(self.where, f"{self.prefix}{name}.", self.given.get(name)).given

    def number(self, name: str, low: float, high: float) -> float:
        value = self.given[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self._wrong(name, f"a number in [{low:g}, {high:g}]")
        return float(value)

    def band(self, name: str) -> tuple[float, float] | None:
        value = self.given.get(name)
        if value is None:
            return None
        numbers = isinstance(value, list) and all(isinstance(each, (int, float)) for each in value)
        if not numbers or len(value) != 2 or value[0] >= value[1]:
            raise self._wrong(name, "a band such as [-0.2, 0.2]")
        return float(value[0]), float(value[1])

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.given.get(name, allowed[0])
        if value not in allowed:
            raise self._wrong(name, " or ".join(allowed))
        return value

    def texts(self, name: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...] | None:
        value = self.given.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._wrong(name, "a list such as [a, b]")
        _Section(self.where, f"{self.prefix}{name}: ", dict.fromkeys(value)).known(*(allowed or value))
        return tuple(value)

    def _wrong(self, name: str, wanted: str) -> ConfigError:
        return ConfigError(f"{self.where}: {self.prefix}{name} must be {wanted}, received {self.given[name]!r}.")
