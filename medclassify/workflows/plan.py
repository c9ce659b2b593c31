"""The verb `plan`: a dataset's fingerprint to a config in which every choice has its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import medclassify
from medclassify.config import Config, load_config, read_overrides
from medclassify.errors import ManifestError
from medclassify.manifest import Manifest, assign_splits, check_leakage, check_splits, keep_findings
from medclassify.models import backbone_name
from medclassify.planning import (
    Choice,
    Choices,
    DataFacts,
    Expected,
    FindingFacts,
    ImageFacts,
    choose_data,
    choose_decisions,
    choose_findings,
    choose_fractions,
    choose_network,
    choose_training,
    data_lines,
    estimate_minutes,
    expected_table,
    machine_lines,
    plan_to_yaml,
    survey,
    warnings,
)
from medclassify.runs import atomic_path
from medclassify.workflows.checks import require_data, require_new_file
from medclassify.workflows.consent import without_ids
from medclassify.workflows.console import say
from medclassify.workflows.dataset import one_finding_each
from medclassify.workflows.index import index_data, report_exclusions
from medclassify.workflows.plan_sample import look_at_images
from medclassify.workflows.plan_timing import SECONDS, hardware_facts, measure_cost


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A plan.

    Attributes:
        choices: Every key with its reason.
        warnings: What has to be known before a fit.
        expected: What may be expected of each finding's figures.
        lines: The dataset and the machine, in words.
    """

    choices: tuple[Choice, ...]
    warnings: tuple[str, ...]
    expected: tuple[Expected, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """What was read: the data as ``fit`` will split it, a sample of files, and every finding that the labels have."""

    data: DataFacts
    images: ImageFacts
    labelled: tuple[FindingFacts, ...]
    leakage: tuple[str, ...]


def plan(source: str, labels: str | None, overrides: Sequence[str], *, out: Path) -> Planned:
    """Reads a source, decides, and writes the config.

    Args:
        source: A folder, file, manifest or ``phantom``.
        labels: The label table; not needed with a manifest or the phantom.
        overrides: ``--dotted.key value`` words: what the person has decided already.
        out: The YAML file.

    Raises:
        MedclassifyError: The data cannot be read or split, or an override is wrong; nothing is written.
    """
    require_new_file(out)
    config, fixed = read_overrides([*overrides, "--data.source", source, *(["--data.labels", labels] if labels else [])])
    require_data(config.data)
    config = without_ids(config)
    if "data.exclude_patients" in fixed:
        fixed["data.exclude_patients"] = list(config.data.exclude_patients)
    choices = Choices(fixed)
    found = _read(config, choices)
    hardware = hardware_facts()
    choose_data(choices, found.data, found.images)
    backbone, size = choose_network(choices, found.data, found.images, hardware)
    say(f"timing {backbone} at {size} pixels: a few steps, about {SECONDS:.0f} s at the most")
    cost = measure_cost(backbone_name(backbone, config.model.scale), size, len(found.data.findings))
    choose_training(choices, found.data, cost, hardware)
    expected = choose_decisions(choices, found.data)
    chosen = choices.finish()
    minutes = estimate_minutes(chosen, found.data, found.images, cost)
    batch = next(choice.value for choice in chosen if choice.key == "data.batch_size")
    told = warnings(found.data, found.images, found.labelled, expected, found.leakage)
    planned = Planned(
        chosen,
        tuple(told),
        expected,
        (*data_lines(found.data, found.images), *machine_lines(hardware, cost, minutes, batch)),
    )
    _write(planned, out)
    return planned


def _read(config: Config, choices: Choices) -> _Source:
    """Reads the manifest and draws the splits that ``fit`` will draw."""
    seed = choices.add(Choice("seed_everything", 0, "of the split and of all that is drawn at random"))
    choices.add(Choice("data.source", config.data.source, "what was looked at"))
    if config.data.labels:
        choices.add(Choice("data.labels", config.data.labels, "its labels"))
    indexed = index_data(config.data)
    manifest = indexed.manifest
    if config.data.task == "multiclass":
        manifest, ambiguous = one_finding_each(manifest)
        report_exclusions(ambiguous)
    published = config.data.split == "auto" and bool(manifest.frame["split"].notna().any())
    counted = survey(manifest, published=published, attributes=())
    fractions = choices.add(choose_fractions(counted.findings, published))

    def split(chosen: Manifest) -> Manifest:
        return assign_splits(chosen, fractions=fractions, seed=seed, mode=config.data.split)

    labelled = survey(divided := split(manifest), published=published, attributes=()).findings
    names = choices.add(choose_findings(labelled))
    if not names:
        raise ManifestError(
            f"{manifest.source}: no finding has enough patients of both classes to be learnt and measured "
            f"({', '.join(f'{finding.name} {finding.positive_patients}' for finding in labelled)}). Give more images."
        )
    if list(names) != list(manifest.findings):
        divided = split(keep_findings(manifest, names))
    check_splits(divided)
    data = survey(divided, published=published, attributes=manifest.attributes)
    leakage = tuple(f"leakage: {finding}; `fit` refuses it" for finding in check_leakage(divided).findings)
    return _Source(data, look_at_images(divided, seed=seed), labelled, leakage)


def _write(planned: Planned, out: Path) -> None:
    head = (
        f"A plan by medclassify {medclassify.__version__}. Above each choice stands its reason; change what you know better.",
        f"Then: medclassify fit {out.name}",
        "",
        *planned.lines,
        "",
        *expected_table(planned.expected),
    )
    with atomic_path(out) as temporary:
        temporary.write_text(plan_to_yaml(head, planned.warnings, planned.choices), encoding="utf-8")
        load_config(temporary)  # what is written is what `fit` takes
