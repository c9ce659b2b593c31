"""A finished model as two files: ``model.safetensors`` and ``model.json``. No pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from safetensors.torch import load_file, save_file
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.errors import RunError
from medclassify.models.attention import GatedAttention
from medclassify.models.factory import create_network
from medclassify.models.weights import state_fingerprint
from medclassify.records import Preprocessing
from medclassify.runs import atomic_path, write_json

_SCHEMA = 1
_ATTENTION = "attention."


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """Everything a prediction needs.

    Attributes:
        network: In evaluation mode.
        backbone: timm name.
        findings: K names, in the order of the logits.
        task: ``multilabel`` or ``multiclass``.
        preprocessing: What the network expects of its input.
        calibrator: The calibrator's JSON.
        operating_points: The operating points' JSON.
        synthetic: Learnt from synthetic images.
        fingerprint: SHA-256 of the weights.
        conformal: The conformal rules' JSON, or None where there are none.
        prevalence: Finding → prevalence where the model is used, which ``predict`` corrects for; usually empty.
        attention: Weighs the slices of a series; None where samples are images. It is in evaluation mode.
        decisions_sha256: Frozen hash over calibrator, operating points, conformal rules and prevalence; "" where a model of an
            earlier version kept none.
        modalities: Modality (0008,0060) of the images it learnt from, each once; "" among them where files did not say (PNG,
            JPEG). Empty: a model of an earlier version, which did not keep them.
    """

    network: EfficientNet
    backbone: str
    findings: tuple[str, ...]
    task: str
    preprocessing: Preprocessing
    calibrator: Any
    operating_points: Any
    synthetic: bool
    fingerprint: str
    modalities: tuple[str, ...] = ()
    conformal: Any = None
    prevalence: Mapping[str, float] = field(default_factory=dict)
    decisions_sha256: str = ""
    attention: GatedAttention | None = None


def whole_state(network: EfficientNet, attention: GatedAttention | None) -> dict[str, Tensor]:
    """Every weight of a model by its name; those of the attention begin with ``attention.``."""
    of_slices = attention.state_dict() if attention is not None else {}
    return {**network.state_dict(), **{f"{_ATTENTION}{name}": tensor for name, tensor in of_slices.items()}}


def save_bundle(folder: Path, bundle: ModelBundle) -> None:
    """Writes both files; ``model.json`` last, so that its presence means both are whole."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = whole_state(bundle.network, bundle.attention)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(state, temporary)
    write_json(
        folder / "model.json",
        {
            "schema": _SCHEMA,
            "backbone": bundle.backbone,
            "findings": list(bundle.findings),
            "task": bundle.task,
            "preprocessing": asdict(bundle.preprocessing),
            "calibrator": bundle.calibrator,
            "operating_points": bundle.operating_points,
            "conformal": bundle.conformal,
            "prevalence": dict(bundle.prevalence),
            "decisions_sha256": bundle.decisions_sha256,
            "synthetic": bundle.synthetic,
            "fingerprint": bundle.fingerprint,
            "modalities": list(bundle.modalities),
            "attention": {"sequence": bundle.attention.sequence} if bundle.attention is not None else None,
        },
    )


def load_bundle(folder: Path) -> ModelBundle:
    """Reads a model back.

    Raises:
        RunError: A file is missing or not what its name says, or the weights are not those the JSON was written for.
    """
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        state = load_file(folder / "model.safetensors")
        if facts["schema"] != _SCHEMA:
            raise RunError(f"{folder}: model schema {facts['schema']} is not known to this version, which reads {_SCHEMA}.")
        network = create_network(facts["backbone"], len(facts["findings"]))
        attention = None
        if facts.get("attention"):
            attention = GatedAttention(cast(int, network.num_features), len(facts["findings"]), facts["attention"]["sequence"])
            attention.load_state_dict(
                {name.removeprefix(_ATTENTION): value for name, value in state.items() if name.startswith(_ATTENTION)}
            )
        network.load_state_dict({name: value for name, value in state.items() if not name.startswith(_ATTENTION)})
    except RunError:
        raise
    except Exception as error:
        raise RunError(
            f"{folder}: the model cannot be read ({' '.join(str(error).split())[:160]}). Check it with: medclassify verify RUN"
        ) from error
    if state_fingerprint(state) != facts["fingerprint"]:
        raise RunError(f"{folder}: the weights are not those that model.json describes. Check it with: medclassify verify RUN")
    preprocessing = facts["preprocessing"]
    preprocessing.update({name: tuple(preprocessing.get(name, ())) for name in ("mean", "std", "ct_windows")})
    return ModelBundle(
        network=network.eval(),
        backbone=facts["backbone"],
        findings=tuple(facts["findings"]),
        task=facts["task"],
        preprocessing=Preprocessing(**preprocessing),
        calibrator=facts["calibrator"],
        operating_points=facts["operating_points"],
        synthetic=facts["synthetic"],
        fingerprint=facts["fingerprint"],
        modalities=tuple(facts.get("modalities", ())),
        conformal=facts.get("conformal"),
        prevalence=facts.get("prevalence", {}),
        decisions_sha256=facts.get("decisions_sha256", ""),
        attention=attention.eval() if attention is not None else None,
    )
