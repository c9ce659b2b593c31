"""Initial weights: from the hub, from a file, or random. Nothing is loaded by executing pickled code."""

import hashlib
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import timm
import torch
from safetensors.torch import load_file
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.errors import WeightsError
from medclassify.models.layouts import layout_of, to_timm_layout

_HEAD = "classifier."
_IMAGENET, _HALF = (0.485, 0.456, 0.406), (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """What a network starts from.

    Attributes:
        requested: What the config asked for; of a file its name, for names of folders may be a patient's.
        source: Where the weights came from: ``hub:<name>``, ``file:<name>``, ``random``.
        sha256: Hash of the loaded backbone tensors, or "" for random weights.
        loaded: Backbone tensors loaded.
        total: Backbone tensors in the network.
        fallback: Random weights were taken because the requested ones could not be had.
        note: One line for console, provenance and report.
    """

    requested: str
    source: str
    sha256: str
    loaded: int
    total: int
    fallback: bool
    note: str

    @property
    def share(self) -> float:
        """Share of backbone tensors loaded, 0 to 1."""
        return self.loaded / self.total if self.total else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values for provenance and report."""
        return {**asdict(self), "share_loaded": self.share}


def load_weights(network: EfficientNet, weights: str, *, allow_random: bool = False) -> WeightsReport:
    """Fills a network's backbone in place; the head stays as it is.

    Args:
        network: Built by ``models.create_network``.
        weights: ``imagenet``, ``none``, or a ``.safetensors``/``.pth`` file, in the key layout of timm, of torchvision, or of
            lukemelas/EfficientNet-PyTorch and MONAI.
        allow_random: Go on with random weights where ``imagenet`` cannot be had.

    Returns:
        What was loaded.

    Raises:
        WeightsError: The weights cannot be had or read, or do not fill every backbone tensor with its shape.
    """
    if weights == "none":
        return _random(network, weights, fallback=False, note="random initial weights, as configured (model.weights: none)")
    if weights != "imagenet":
        path = Path(weights)
        state = _read_file(path)
        renamed = to_timm_layout(network, state, weights)  # another network's file is told before another normalisation
        _require_normalisation(network, path, layout_of(state))
        return _fill(network, weights, f"file:{path.name}", renamed)
    name = _facts(network)["architecture"]
    try:
        state = _download(network)
    except WeightsError as error:
        if not allow_random:
            raise
        note = f"RANDOM initial weights, far below what transfer learning gives: {name}'s could not be had ({error})"
        return _random(network, weights, fallback=True, note=note)
    return _fill(network, weights, f"hub:{_facts(network).get('hf_hub_id') or name}", state)


def state_fingerprint(state: dict[str, Tensor]) -> str:
    """SHA-256 over names, shapes and values of a state dict, in name order; the same on any device."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _facts(network: EfficientNet) -> dict[str, Any]:
    """timm's record of a network's published weights."""
    return cast(dict[str, Any], network.pretrained_cfg)


def _random(network: EfficientNet, requested: str, *, fallback: bool, note: str) -> WeightsReport:
    return WeightsReport(requested, "random", "", 0, len(_backbone(network.state_dict())), fallback, note)


def _backbone(state: dict[str, Tensor]) -> dict[str, Tensor]:
    # num_batches_tracked counts steps and holds nothing learnt; some published files leave it out
    return {
        name: value for name, value in state.items() if not name.startswith(_HEAD) and not name.endswith("num_batches_tracked")
    }


def _download(network: EfficientNet) -> dict[str, Tensor]:
    """Published weights of the network's own name: the hub's safetensors file, cached by its client."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository = _facts(network).get("hf_hub_id")
    if not repository:
        name = _facts(network)["architecture"]
        raise WeightsError(
            f"model.weights imagenet: none are published for {name}. Choose another backbone, or --model.weights none."
        )
    try:
        try:
            return load_file(hf_hub_download(repository, "model.safetensors", local_files_only=True))
        except LocalEntryNotFoundError:
            _require_hub()
            return load_file(hf_hub_download(repository, "model.safetensors"))
    except Exception as error:  # the hub client raises a dozen types; each means the weights are not here
        raise WeightsError(
            f"model.weights imagenet: {repository} is not cached and cannot be downloaded ({_reason(error)}). "
            "Connect once, or give a file with --model.weights FILE.safetensors, or begin at random with --model.weights none."
        ) from error


def _reason(error: Exception) -> str:
    """Why a download failed: in words where there is no network, else as the client says it."""
    inner = getattr(error, "reason", error)  # urllib wraps what the socket said
    if isinstance(inner, socket.gaierror):
        return "no network, or the hub's name is not known here"
    if isinstance(inner, TimeoutError):
        return "no network: the hub does not answer"
    if isinstance(inner, ConnectionError):
        return "no network: the connection is refused or broken"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def _require_hub() -> None:
    """Fails within seconds where there is no network; the hub client alone retries for most of a minute."""
    import urllib.error
    import urllib.request

    from huggingface_hub import constants

    with suppress(urllib.error.HTTPError):  # an answer, whatever it says: the hub is there
        urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=5).close()


def _read_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"model.weights {path}: no such file. Give imagenet, none, or a .safetensors or .pth file.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix not in (".pth", ".pt", ".bin"):
            raise WeightsError(f"model.weights {path}: unknown kind of file {path.suffix!r}. Give a .safetensors or .pth file.")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # safetensors and torch raise different types for a file that is not what its name says
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(
            f"model.weights {path}: cannot be read without executing code, or is damaged ({reason}). Save it as safetensors."
        ) from error
    for wrapper in ("state_dict", "model"):
        state = state.get(wrapper, state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"model.weights {path}: holds no table of tensors. Save the network's state_dict().")
    return state


def _require_normalisation(network: EfficientNet, path: Path, layout: str) -> None:
    """A file of another library expects the normalisation of that library, and timm's record may hold another one.

    AdvProp's weights (Xie 2020; lukemelas publishes them as files that begin with ``adv-``) and torchvision's V2-L expect
    inputs in [-1, 1], all others of lukemelas, MONAI and torchvision ImageNet's mean. timm's own go by timm's record.
    """
    facts = _facts(network)
    name, adversarial = facts["architecture"], path.name.startswith("adv-")
    if layout == "timm" and not adversarial:
        return
    expected = _HALF if adversarial or (layout, name) == ("torchvision", "efficientnetv2_l") else _IMAGENET
    if tuple(facts["mean"]) == expected:
        return
    records = {tagged: timm.get_pretrained_cfg(tagged) for tagged in timm.list_pretrained(f"{name}.*")}
    fitting = [tagged for tagged, record in records.items() if record is not None and tuple(record.mean) == expected]
    raise WeightsError(
        f"model.weights {path}: {'AdvProp' if adversarial else layout} weights, which expect another normalisation than "
        f"{name}'s (mean {expected[0]:g}, not {facts['mean'][0]:g}). Choose "
        + (f"model.backbone {fitting[0]}." if fitting else "another backbone: timm has no record of this one with that mean.")
    )


def _fill(network: EfficientNet, requested: str, source: str, state: dict[str, Tensor]) -> WeightsReport:
    wanted, given = _backbone(network.state_dict()), _backbone(state)
    missing = sorted(set(wanted) - set(given))
    misfits = sorted(name for name in set(wanted) & set(given) if wanted[name].shape != given[name].shape)
    if missing or misfits:
        first = (
            missing[0]
            if missing
            else f"{misfits[0]} {tuple(given[misfits[0]].shape)}, expected {tuple(wanted[misfits[0]].shape)}"
        )
        raise WeightsError(
            f"model.weights {requested}: {len(missing)} of {len(wanted)} backbone tensors are missing and "
            f"{len(misfits)} have another shape (first: {first}). Is it the weights of {_facts(network)['architecture']}?"
        )
    loaded = {name: given[name] for name in wanted}
    bad = [name for name, value in loaded.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if bad:
        raise WeightsError(
            f"model.weights {requested}: {len(bad)} tensors hold NaN or infinity (first: {bad[0]}). The file is damaged."
        )
    network.load_state_dict(loaded, strict=False)
    unused = len(given) - len(loaded)
    note = f"{len(loaded)} of {len(wanted)} backbone tensors loaded from {source}" + (
        f", {unused} in the file unused" if unused else ""
    )
    return WeightsReport(Path(requested).name, source, state_fingerprint(loaded), len(loaded), len(wanted), False, note)
