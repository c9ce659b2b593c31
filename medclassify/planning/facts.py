"""What a plan is made from: counts of a manifest, a sample of its files, the machine, and a few timed steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """A finding's certain labels in one split.

    Attributes:
        positive: Images.
        negative: Images.
        positive_patients: Patients with a positive image.
        negative_patients: Patients with a negative image and no positive one.
    """

    positive: int
    negative: int
    positive_patients: int
    negative_patients: int


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """One finding.

    Attributes:
        name: As the labels call it.
        positive: Images labelled 1.
        negative: Images labelled 0.
        uncertain: Images labelled −1; masked unless ``data.uncertain`` says otherwise.
        unlabelled: Images without a label; masked.
        positive_patients: Patients with a positive image.
        splits: Split → counts, as ``fit`` will draw it.
    """

    name: str
    positive: int
    negative: int
    uncertain: int
    unlabelled: int
    positive_patients: int
    splits: Mapping[str, SplitCounts] = field(default_factory=dict)

    @property
    def prevalence(self) -> float:
        """Share of positives among certain labels; 0 without any."""
        return self.positive / max(self.positive + self.negative, 1)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A sample of the files.

    Attributes:
        read: Headers read.
        rows: Smallest, median and largest number of rows, pixels.
        columns: The same of columns.
        shorter_side: 5th, 50th and 95th percentile of the shorter side, pixels.
        bits: Bits stored → files.
        decoded: Images decoded.
        failed: Reason → files that could not be read.
        windowed: Of the decoded, how many were shown through a window of their own.
        grey: Mean and standard deviation of the decoded images' grey, 0 to 1.
        warned: How many decoded images come with a warning.
        seconds: Wall seconds that preparing one image takes, all cores at work.
    """

    read: int
    rows: tuple[int, int, int]
    columns: tuple[int, int, int]
    shorter_side: tuple[int, int, int]
    bits: Mapping[int, int]
    decoded: int
    failed: Mapping[str, int]
    windowed: int
    grey: tuple[float, float]
    warned: int
    seconds: float


@dataclass(frozen=True, slots=True)
class DataFacts:
    """A manifest in numbers.

    Attributes:
        images: Samples.
        patients: Different patients.
        most_images: Images of the patient with most of them.
        split_images: Split → images.
        published: The labels came with a split.
        patient_source: How many samples have their patient from where (see ``Manifest.patient_source``).
        findings: In order.
        modalities: Kind of image → images; "" where a file does not say.
        views: View → images; "" where a file does not say.
        attributes: Attribute → subgroup → patients in the test split; "" for those who lack it.
    """

    images: int
    patients: int
    most_images: int
    split_images: Mapping[str, int]
    published: bool
    patient_source: Mapping[str, int]
    findings: tuple[FindingFacts, ...]
    modalities: Mapping[str, int]
    views: Mapping[str, int]
    attributes: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Hardware:
    """The machine.

    Attributes:
        cores: That this process may use.
        memory_gib: Main memory.
        gpu: Its name, or None.
        gpu_gib: Its memory, 0 without one.
    """

    cores: int
    memory_gib: float
    gpu: str | None = None
    gpu_gib: float = 0.0


@dataclass(frozen=True, slots=True)
class StepCost:
    """What the network costs on this machine, measured.

    Attributes:
        train_seconds: An image of a training step.
        forward_seconds: An image of a forward pass in evaluation.
        activation_bytes: An image's activations, kept for the backward pass.
        state_bytes: Weights, gradients and the optimiser's two moments.
        steps: Training steps that were timed.
    """

    train_seconds: float
    forward_seconds: float
    activation_bytes: float
    state_bytes: float
    steps: int
