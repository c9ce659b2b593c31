"""The Lightning data module over a prepared store."""

import zlib
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from medclassify.data.ahead import AheadLoader
from medclassify.data.batches import EpochBatches, TuneBatches
from medclassify.data.dataset import Batch, EpochShuffle, PreparedDataset, whole_batch
from medclassify.data.resident import ResidentImages, has_room, make_resident, resident_bytes
from medclassify.data.resize import shrink
from medclassify.data.transforms import augmentation, to_network_input
from medclassify.records import Preprocessing


class PreparedDataModule(LightningDataModule):
    """Serves train and tune batches; augmentation and normalisation run on the batch's own device.

    Args:
        train: Samples that weights are learnt from.
        tune: Samples that choose the epoch.
        preprocessing: What the network expects.
        batch_size: Images a step.
        num_workers: Loader processes.
        augment: Strength of augmentation, 0 to 1.
        seed: The run's seed.
        order: Draws the samples of an epoch by its number (``set_epoch``, ``epoch``); every sample once when left out.
        say: Told once, in a line, how images reach a GPU; nothing is said on a CPU.
    """

    def __init__(
        self,
        train: PreparedDataset,
        tune: PreparedDataset,
        preprocessing: Preprocessing,
        *,
        batch_size: int,
        num_workers: int,
        augment: float,
        seed: int,
        order: Sampler[int] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self.train_set, self.tune_set, self.preprocessing = train, tune, preprocessing
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.size, self.augment = preprocessing.image_size, augmentation(augment)
        self.say, self.resident = say, cast(ResidentImages | None, None)
        self.order: Any = order or EpochShuffle(len(train), seed)
        self._done = (0, 0)

    def setup(self, stage: str) -> None:
        """Moves the images to the GPU where they fit; else each batch goes there from pinned memory, drawn one ahead."""
        if not self._on_gpu or self.resident is not None:
            return
        device = self.trainer.strategy.root_device  # type: ignore[union-attr]
        images, rows = self.train_set.images, np.union1d(self.train_set.rows, self.tune_set.rows)
        needed, free = resident_bytes(images, rows), torch.cuda.mem_get_info(device)[0]
        if has_room(needed, free):
            self.keep_on(device)
            self.say(f"images: all {len(rows)} are kept on the GPU ({needed / 1e9:.2f} of {free / 1e9:.0f} GB that are free)")
        else:
            self.say(
                f"images: streamed to the GPU, one batch ahead ({needed / 1e9:.1f} GB; {free / 1e9:.0f} GB are free there)"
            )

    def keep_on(self, device: torch.device) -> None:
        """Copies all images of train and tune to a device; batches are taken from them there."""
        rows = np.concatenate([self.train_set.rows, self.tune_set.rows])
        self.resident = make_resident(self.train_set.images, rows, device)
        for dataset in (self.train_set, self.tune_set):
            dataset.places = self.resident.places(dataset.rows)

    def teardown(self, stage: str) -> None:
        """Gives the GPU's memory back."""
        self.resident = self.train_set.places = self.tune_set.places = None

    @property
    def _on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.accelerator.__class__.__name__ == "CUDAAccelerator"

    def show(self, size: int, augment: float) -> None:
        """Train batches have this side and this strength of augmentation from now on; tune batches keep the full side."""
        self.size, self.augment = size, augmentation(augment)

    def seed_epoch(self, epoch: int) -> None:
        """Makes order and augmentation of an epoch depend on seed and epoch alone, in a resumed run too."""
        self.order.set_epoch(epoch)

    def go_on(self, epoch: int, step: int) -> None:
        """A resumed run goes on with this epoch, of which this rank has taken so many batches already."""
        self.order.set_epoch(epoch)  # loader processes draw before Lightning tells the epoch
        self._done = (epoch, step)

    def train_dataloader(self) -> DataLoader:
        """Shuffled, this rank's share of every step; what fills no step is left out of its epoch (another one draws it)."""
        batches = EpochBatches(self.order, self.batch_size, *self._rank())
        batches.go_on(*self._done)
        return self._loader(self.train_set, batches)

    def val_dataloader(self) -> DataLoader:
        """This rank's share of the tune split, in order: over all ranks every sample once."""
        return self._loader(self.tune_set, TuneBatches(len(self.tune_set), self.batch_size, *self._rank()))

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augmentation of a batch depends on seed, epoch and its samples alone, wherever a run was stopped."""
        if self.trainer is not None and self.trainer.training:
            start = (self.seed * 1_000_003 + self.order.epoch) % 2**32
            self.augment.set_random_state(seed=zlib.crc32(batch["index"].numpy().tobytes(), start))
        return batch

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """uint8 images to network input; augmented while training."""
        images = batch["image"] if self.resident is None else self.resident.take(batch["place"])
        if self.trainer is not None and self.trainer.training:
            images = cast(Tensor, self.augment(shrink(images, self.size)))
        return {**batch, "image": to_network_input(images, self.preprocessing)}

    def _rank(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)

    def _loader(self, dataset: PreparedDataset, batches: EpochBatches | TuneBatches) -> DataLoader:
        ahead = self._on_gpu and self.resident is None and not self.num_workers
        return (AheadLoader if ahead else DataLoader)(
            dataset,
            batch_sampler=batches,
            num_workers=self.num_workers,
            collate_fn=cast(Any, whole_batch),
            pin_memory=self._on_gpu,
            persistent_workers=self.num_workers > 0,
        )
