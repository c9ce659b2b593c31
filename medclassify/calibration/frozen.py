"""One hash over everything that turns a logit into an answer, taken before the test split is read."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from medclassify.errors import CalibrationError

_PARTS = ("calibrator", "operating_points", "conformal", "prevalence")


def decision_fingerprint(model: Mapping[str, Any]) -> str:
    """SHA-256 of a model's calibrator, operating points, conformal rules and declared prevalence, in hex.

    Args:
        model: What ``model.json`` holds; parts that it lacks count as empty.
    """
    parts = {name: model.get(name) or None for name in _PARTS}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def require_frozen(model: Mapping[str, Any], where: str) -> str:
    """Returns the hash that was frozen with a model, or "" for a model of an earlier version, which kept none.

    Raises:
        CalibrationError: Calibrator, thresholds, rules or prevalence are not those that were frozen.
    """
    frozen = model.get("decisions_sha256") or ""
    found = decision_fingerprint(model)
    if frozen and found != frozen:
        raise CalibrationError(
            f"{where}: calibrator, thresholds or conformal rules are not those frozen before the test split was read "
            f"(hash {found[:12]}, frozen {frozen[:12]}). Restore the file, or fit the model again."
        )
    return frozen
