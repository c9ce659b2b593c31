"""Everything that a fit does before it trains: index, split, check, decode into the cache; here or on a cluster."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from medclassify.config import load_config
from medclassify.data.store import decode_here
from medclassify.errors import RunError
from medclassify.manifest import uncertainty_policies
from medclassify.workflows.checks import require_data
from medclassify.workflows.cluster import connect
from medclassify.workflows.consent import without_ids
from medclassify.workflows.dataset import Dataset, make_dataset, preprocessing_for, with_attributes
from medclassify.workflows.index import index_data
from medclassify.workflows.on_cluster import decode_on


@dataclass(frozen=True, slots=True, eq=False)
class PreparedData:
    """What a fit of the same config will find.

    Attributes:
        dataset: Split, checked and prepared.
        folder: The store.
        size: Its bytes.
    """

    dataset: Dataset
    folder: Path
    size: int


def prepare_config(config_path: Path, overrides: Sequence[str] = (), scheduler: str | None = None) -> PreparedData:
    """Prepares the images of a config.

    Args:
        config_path: The YAML file.
        overrides: ``--dotted.key value`` words over it.
        scheduler: Address of a Dask scheduler whose workers decode; this machine when left out.

    Raises:
        MedclassifyError: Something in config, data or disk has to be mended first; or a worker cannot do its part.
    """
    config = without_ids(load_config(config_path, overrides))
    require_data(config.data)
    data = config.data
    preprocessing = preprocessing_for(config)
    try:
        with connect(scheduler) if scheduler else nullcontext() as cluster:
            indexed = index_data(data)
            with_attributes(indexed.manifest, data.attributes)  # wrong names are told before images are decoded
            uncertainty_policies(data.uncertain, indexed.manifest.findings)
            dataset = make_dataset(indexed, config, preprocessing, partial(decode_on, cluster) if cluster else decode_here)
    except KeyboardInterrupt as interrupt:
        kept = " What the workers finished is kept in the cache: the same command goes on from there." if scheduler else ""
        raise RunError(f"stopped while reading the data.{kept}") from interrupt
    folder = dataset.store.folder
    return PreparedData(dataset, folder, sum(path.stat().st_size for path in folder.iterdir()))
