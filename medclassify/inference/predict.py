"""Runs a network over prepared images, every sample once and in order, in full float32: without TF32 on a GPU."""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from medclassify.data import to_network_input
from medclassify.data.ahead import ahead
from medclassify.models.precision import exact_float32
from medclassify.records import LogitTable, Preprocessing

Progress = Callable[[int, int], None]


def predict_logits(
    network: EfficientNet,
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    *,
    sample_ids: Sequence[str],
    findings: Sequence[str],
    preprocessing: Preprocessing,
    fingerprint: str,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> LogitTable:
    """Scores samples.

    Args:
        network: Its device is where the work is done; it is put into evaluation mode.
        images: uint8 (M, C, S, S), the prepared store.
        rows: int64 (N,), which of them.
        sample_ids: N ids.
        findings: K names.
        preprocessing: What the network expects.
        fingerprint: SHA-256 of the weights.
        batch_size: Images at a time.
        progress: Called with (done, total).

    Returns:
        Logits as float64 (N, K): float32 from the network, widened so that nothing after it makes ties.
    """
    with torch.inference_mode(), exact_float32():
        batches = _batches(network, images, rows, preprocessing, batch_size, progress)
        parts = [network(batch).float().cpu() for batch in batches]
    logits = torch.cat(parts) if parts else torch.zeros(0, len(findings))
    return LogitTable(tuple(sample_ids), tuple(findings), logits.double().numpy(), fingerprint)


def embed(
    network: EfficientNet,
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    *,
    preprocessing: Preprocessing,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """The pooled features the head sees: float32 (N, D). Arguments as in ``predict_logits``."""
    options = {"preprocessing": preprocessing, "batch_size": batch_size, "progress": progress}
    return np.concatenate(list(embedded_batches(network, images, rows, **options)))


def embedded_batches(
    network: EfficientNet,
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    *,
    preprocessing: Preprocessing,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Iterator[NDArray[np.float32]]:
    """The same, float32 (B, D) a batch, for more images than memory holds features of."""
    for batch in _batches(network, images, rows, preprocessing, batch_size, progress):
        with (
            torch.inference_mode(),
            exact_float32(),
        ):  # not around the loop: a generator that is left standing would keep them on
            features = network.forward_head(network.forward_features(batch), pre_logits=True).float().cpu().numpy()
        yield features


def logits_of_embeddings(
    network: EfficientNet,
    embeddings: NDArray[np.float32],
    *,
    sample_ids: Sequence[str],
    findings: Sequence[str],
    fingerprint: str,
) -> LogitTable:
    """Scores samples whose embeddings (N, D) are at hand: what ``predict_logits`` gives, up to rounding of float32."""
    head = cast(nn.Linear, network.get_classifier())
    with torch.inference_mode(), exact_float32():
        logits = head(torch.from_numpy(np.array(embeddings)).to(head.weight.device)).cpu()
    return LogitTable(tuple(sample_ids), tuple(findings), logits.double().numpy(), fingerprint)


def _batches(
    network: EfficientNet,
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    preprocessing: Preprocessing,
    batch_size: int,
    progress: Progress | None,
) -> Iterator[Tensor]:
    network.eval()
    device = next(network.parameters()).device
    on_gpu = device.type == "cuda"
    taken = (torch.from_numpy(images[rows[start : start + batch_size]]) for start in range(0, len(rows), batch_size))
    done = 0
    for part in ahead(batch.pin_memory() for batch in taken) if on_gpu else taken:
        yield to_network_input(part.to(device, non_blocking=on_gpu), preprocessing)
        done += len(part)
        if progress:
            progress(done, len(rows))
