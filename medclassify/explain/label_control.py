"""The control that learnt nothing: the top of the network trained on shuffled labels (Adebayo et al. 2018, section 4.2).

A map that is the same whether the labels were true or drawn by lot says nothing of a finding. What lies behind the last block
(conv_head, bn2, classifier) is drawn anew and trained on stored features of a few hundred images, which takes seconds; the
blocks stay as they were trained, so that a difference can come from the labels alone.
"""

import copy
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.efficientnet import EfficientNet
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from medclassify.explain.methods import Method
from medclassify.explain.network import run_blocks
from medclassify.explain.randomisation import Resemblance, redraw
from medclassify.explain.similarity import rank_correlations, structural_similarity

_EPOCHS, _BATCH, _RATE = 20, 32, 3e-3


def train_on_shuffled_labels(
    network: EfficientNet, images: Iterable[Tensor], targets: NDArray, mask: NDArray[np.bool_], seed: int = 0
) -> tuple[EfficientNet, float]:
    """A copy of a network whose top has learnt labels that were dealt out at random.

    Args:
        network: In evaluation mode; not changed.
        images: Batches float32 (B, 3, S, S), normalised; N images in all, of the train split.
        targets: float (N, K), their labels before they are shuffled.
        mask: bool (N, K), where they are known; goes along with the labels.
        seed: Of the shuffle, the new weights and the order.

    Returns:
        The control in evaluation mode, and its last loss: the further below 0.69, the loss of not knowing, the more it learnt.
    """
    control = copy.deepcopy(network)
    with torch.inference_mode():
        features = torch.cat([run_blocks(control.blocks, control.bn1(control.conv_stem(batch))).float() for batch in images])
    features, top = features.clone(), torch.nn.ModuleList([control.conv_head, control.bn2, control.classifier])
    order = np.random.default_rng(seed).permutation(len(targets))
    goal = torch.from_numpy(np.where(mask, targets, 0)[order]).float().to(features.device)
    weight = torch.from_numpy(mask[order]).float().to(features.device)
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(seed)
        redraw(top)
        top.requires_grad_(True).train()
        optimizer = torch.optim.AdamW(top.parameters(), lr=_RATE)
        loss = torch.zeros(())
        for _ in range(_EPOCHS):
            for rows in torch.randperm(len(features)).split(_BATCH):
                if len(rows) < 2:  # BatchNorm knows no variance of one
                    continue
                logits = control.forward_head(control.bn2(control.conv_head(features[rows])))
                loss = binary_cross_entropy_with_logits(logits, goal[rows], weight[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return control.eval(), float(loss.detach())


def label_resemblance(
    network: EfficientNet, control: EfficientNet, images: Tensor, findings: Sequence[int], method: Method, note: str = ""
) -> Resemblance:
    """Compares the trained maps with those of a control that learnt shuffled labels.

    Args:
        network: The trained network.
        control: As ``train_on_shuffled_labels`` returns it.
        images: float32 (B, 3, S, S), normalised.
        findings: Which K findings.
        method: The method to check.
        note: What else is to be known of the control.
    """
    trained, shuffled = (method.maps(model, images, findings) for model in (network, control))
    found = rank_correlations(trained, shuffled)
    return Resemblance(
        control="top of the network trained on shuffled labels (Adebayo 2018)",
        stages=("shuffled labels",),
        rank_correlation=(float(found.mean()),),
        ssim=(structural_similarity(trained, shuffled),),
        by_finding=tuple(map(float, found.mean(axis=0))),
        n_maps=found.size,
        note=note,
    )
