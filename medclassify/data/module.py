"""The Lightning data module over a prepared store."""

from typing import Any, cast

from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from medclassify.data.dataset import Batch, EpochShuffle, PreparedDataset, whole_batch
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
    ) -> None:
        super().__init__()
        self.train_set, self.tune_set, self.preprocessing = train, tune, preprocessing
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.augment = augmentation(augment)
        self.order = EpochShuffle(len(train), seed)

    def seed_epoch(self, epoch: int) -> None:
        """Makes order and augmentation of an epoch depend on seed and epoch alone, in a resumed run too."""
        self.order.set_epoch(epoch)
        self.augment.set_random_state(seed=(self.seed * 1_000_003 + epoch) % 2**32)

    def train_dataloader(self) -> DataLoader:
        """Shuffled; a last batch too small for BatchNorm is left out of its epoch (another one draws it)."""
        return self._loader(
            self.train_set,
            sampler=self.order,
            drop_last=len(self.train_set) > self.batch_size,
        )

    def val_dataloader(self) -> DataLoader:
        """The tune split in order, every sample once."""
        return self._loader(self.tune_set)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """uint8 images to network input; augmented while training."""
        images = batch["image"]
        if self.trainer is not None and self.trainer.training:
            images = cast(Tensor, self.augment(images))
        return {**batch, "image": to_network_input(images, self.preprocessing)}

    def _loader(self, dataset: PreparedDataset, **options) -> DataLoader:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            collate_fn=cast(Any, whole_batch),
            pin_memory=self.trainer is not None and self.trainer.accelerator.__class__.__name__ == "CUDAAccelerator",
            persistent_workers=self.num_workers > 0,
            **options,
        )
