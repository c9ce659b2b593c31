"""The shape of a config file. Field docs are the help that ``medclassify fit --help`` prints.

Every dataclass is frozen: a run's config is decided once, written to the run directory, and never changed after.
"""

from dataclasses import dataclass, field
from typing import Literal

LabelFormat = Literal[
    "auto", "generic", "nih", "chexpert", "mimic-cxr", "rsna-pneumonia", "rsna-ich", "rsna-pe",
    "vindr-cxr", "vindr-cxr-any", "vindr-cxr-soft", "siim", "padchest",
]  # fmt: skip
UncertainPolicy = Literal["zeros", "ones", "ignore", "soft"]
SaliencyMethod = Literal[
    "grad_cam", "grad_cam_pp", "hires_cam", "layer_cam", "eigen_cam", "integrated_gradients", "occlusion",
]  # fmt: skip


@dataclass(frozen=True)
class PhantomConfig:
    """The demonstration dataset, rendered when no data is named (``data.source: phantom``).

    Args:
        kind: What is rendered: ``chest_xray``, or CT examinations as series, ``head_ct`` (bleeding) or ``chest_ct`` (nodules,
            ground glass).
        patients: How many synthetic patients to render (1 to 4 radiographs, or 1 to 2 examinations each).
        seed: The seed of the rendering.
        faults: Planted faults, for testing an audit: ``fainter_in_f`` (a finding is fainter in women), ``label_noise_site_b``,
            ``site_marker`` (a lead marker gives a finding away), ``patient_in_two_splits``; of radiographs alone.
        matrix: Rows and columns of a CT slice, 96 when left out; of CT alone.
    """

    kind: Literal["chest_xray", "head_ct", "chest_ct"] = "chest_xray"
    patients: int = 600
    seed: int = 0
    faults: tuple[Literal["fainter_in_f", "label_noise_site_b", "site_marker", "patient_in_two_splits"], ...] = ()
    matrix: int | None = None


@dataclass(frozen=True)
class FractionsConfig:
    """Shares of patients in each split; they must add up to 1.

    Args:
        train: Learn weights.
        tune: Choose the epoch.
        calibrate: Fit calibrators and operating points.
        test: Read once, at the end.
    """

    train: float = 0.6
    tune: float = 0.1
    calibrate: float = 0.1
    test: float = 0.2


@dataclass(frozen=True)
class DataConfig:
    """What to learn from.

    Args:
        source: A folder of images, one file, a manifest (.parquet or .csv), or ``phantom``: synthetic demonstration data.
        labels: The label table, looked for here and then inside ``source``; not needed with a manifest or the phantom.
        format: The label table's layout; ``auto`` recognises it by its columns and prints what it found.
        findings: The findings to learn, in order; all that the labels hold when left out.
        uncertain: What is learnt from labels of -1, on the train split alone: ``zeros`` (absent), ``ones`` (present), ``soft``
            (0.7) or ``ignore`` (nothing); one for all, or a finding each with ``default`` for the rest,
            e.g. ``{default: ignore, Atelectasis: ones}``. Everything else scores certain labels only.
        task: ``multilabel`` (each finding yes or no) or ``multiclass`` (exactly one finding a sample).
        attributes: Attributes by which results are reported; each must be a manifest column.
        split: ``auto`` uses the labels' own split (a ``split`` column or published lists) and else draws one;
            ``random`` always draws one.
        fractions: Shares of a drawn split; with published lists only train, tune and calibrate are drawn, in proportion.
        exclude_patients: Patients who withdrew consent, by the id in the labels or headers, or by its hash.
        allow_leakage: The reason to go on although patients or images cross splits; it is printed in every report.
        window: How a radiograph's values become grey: ``voi`` (the file's own window, percentiles where it has none),
            ``percentile`` (0.5th to 99.5th always) or ``full`` (the whole stored range).
        ct_windows: For CT instead: one window, or three that become the three channels of the network, by name: lung,
            mediastinum, embolism, bone, brain, abdomen, liver, temporal_bone, subdural, stroke. Images that are not in
            Hounsfield units are then left out.
        sample: What is learnt and scored: ``image``, each file by itself, or ``series``, an examination's stack of slices as
            a whole (docs/ct.md).
        neighbours: 2.5-D: 1 puts the slices that lie below and above a slice beside it as channels, through the one window of
            ``ct_windows``; found by where slices lie, whatever their files are called.
        image_size: Side of the square network input in pixels; the weights' own size when left out.
        batch_size: Images a step.
        num_workers: Loader processes; 0 reads the memory-mapped store directly, which is faster at ordinary sizes.
        licence: The licence of the data, carried into provenance and report.
        consent: The consent or ethics statement, carried likewise.
        phantom: The demonstration data's own settings.
    """

    source: str = "phantom"
    labels: str | None = None
    format: LabelFormat = "auto"
    findings: tuple[str, ...] | None = None
    uncertain: UncertainPolicy | dict[str, UncertainPolicy] = "ignore"
    task: Literal["multilabel", "multiclass"] = "multilabel"
    attributes: tuple[str, ...] = ("sex", "age_band", "view", "site")
    split: Literal["auto", "random"] = "auto"
    fractions: FractionsConfig = field(default_factory=FractionsConfig)
    exclude_patients: tuple[str, ...] = ()
    allow_leakage: str | None = None
    window: Literal["voi", "percentile", "full"] = "voi"
    ct_windows: tuple[str, ...] = ()
    sample: Literal["image", "series"] = "image"
    neighbours: Literal[0, 1] = 0
    image_size: int | None = None
    batch_size: int = 32
    num_workers: int = 0
    licence: str = ""
    consent: str = ""
    phantom: PhantomConfig = field(default_factory=PhantomConfig)


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Args:
        backbone: A timm EfficientNet name (``efficientnet_b0`` … ``b7``, ``tf_efficientnetv2_b0`` … ``xl``).
        scale: Instead of a name: the compound coefficient 0–7 of EfficientNet (Tan & Le 2019), or with a V2 backbone named
            ``tf_efficientnetv2_b*`` that family's 0–3.
        weights: ``imagenet`` (downloaded once and cached), ``none`` (random), or a .safetensors/.pth file.
        allow_random_weights: Go on with random weights, loudly, where ImageNet weights cannot be had (demonstration only).
        drop_rate: Dropout before the head; the backbone's own when left out.
        drop_path_rate: Stochastic depth (Huang 2016) in the backbone.
        grad_checkpointing: Activations are computed again in the backward pass instead of being kept (Chen 2016): far less
            memory for about a third more time, and the same result.
        compile: Compile the steps of training (torch.compile): minutes once, earned back by long training on a GPU alone.
        sequence: Of ``data.sample: series``: ``none`` weighs each slice by what it shows, ``gru`` by what lies below and above
            it too (a small recurrent layer over the slices).
    """

    backbone: str = "tf_efficientnetv2_b0"
    scale: int | None = None
    weights: str = "imagenet"
    allow_random_weights: bool = False
    drop_rate: float | None = None
    drop_path_rate: float = 0.1
    grad_checkpointing: bool = False
    compile: bool = False
    sequence: Literal["none", "gru"] = "none"


@dataclass(frozen=True)
class TrainerConfig:
    """Passed to Lightning's Trainer under the same names.

    Args:
        max_epochs: Upper limit of epochs, head warm-up included.
        accelerator: ``auto`` takes a GPU where there is one.
        devices: How many devices of each machine train together; ``auto`` takes as many as torchrun or srun has started, and
            else every GPU, or one processor.
        num_nodes: How many machines; torchrun or srun says it where they start the fit.
        strategy: ``auto`` and ``ddp`` mean the same: one process a device (PyTorch's DistributedDataParallel) where there is
            more than one.
        precision: ``auto`` is bf16-mixed on a GPU that has it and 32-true elsewhere.
        accumulate_grad_batches: Batches a weight update.
        gradient_clip_val: Largest gradient norm; none when 0.
        deterministic: Bit-equal repeats at some cost in speed.
        max_time: Stop training after this long, ``DD:HH:MM:SS``.
        log_every_n_steps: How often training loss is logged.
        enable_progress_bar: Show progress; plain lines where the output is not a terminal.
    """

    max_epochs: int = 20
    accelerator: str = "auto"
    devices: int | str = "auto"
    num_nodes: int = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: str = "auto"
    accumulate_grad_batches: int = 1
    gradient_clip_val: float = 1.0
    deterministic: bool = False
    max_time: str | None = None
    log_every_n_steps: int = 10
    enable_progress_bar: bool = True


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights are learnt (AdamW, one-cycle cosine).

    Args:
        lr: Peak learning rate of the backbone.
        head_lr: Peak learning rate of the head.
        weight_decay: AdamW weight decay; not applied to biases and normalisation.
        recipe: ``linear_probe`` (a linear head on the frozen backbone's embeddings, its penalty searched on tune; seconds, no
            epochs), ``head_then_full`` (that head first, then every weight; Kumar 2022), ``gradual`` (that head first, then a
            stage more an epoch from the head downwards; Howard & Ruder 2018) or ``full`` (every weight from the first step).
            Random weights have no features to build on: with them it is ``full``, and says so (docs/recipes.md).
        layer_decay: Factor on the learning rate with each stage further from the head: conv_head, blocks, stem; 1 for none.
        batch_norm: ``train`` lets BatchNorm learn, ``frozen`` keeps the pretrained statistics, scale and shift; ``auto``
            freezes pretrained ones where a device has fewer than 16 images a step (Wu & He 2018).
        warmup_share: Share of steps in which the learning rate rises.
        loss: ``cross_entropy``; ``focal`` (Lin 2017, gamma 2: what is right already weighs less); or for multi-label
            ``asymmetric`` (Ridnik 2021: easy negatives weigh almost nothing, for findings that are rare).
        slice_loss: Of ``data.sample: series``: what the loss of slices counts beside that of series, where slices have labels.
        label_smoothing: Targets are moved this far towards one half.
        mixup: Alpha of mixup (Zhang 2018), for ``data.task: multiclass``: images and targets of a batch are blended, by one
            share from Beta(alpha, alpha); off when 0.
        class_weighting: ``none``, or ``balanced`` (positives weigh as much as negatives, at most 10 times).
        mitigation: Bias mitigation by subgroups of ``mitigation_attribute``: ``balanced_sampling`` draws subgroup and finding
            equally often, ``group_dro`` (Sagawa 2020) weighs a subgroup more the worse the network does on it.
        mitigation_attribute: The manifest's attribute, e.g. ``sex``; missing values are a subgroup of their own.
        ema_decay: Decay of an exponential moving average of the weights, which is then the model; off when 0.
        patience: Epochs without a better tune AUROC before training stops.
        augment: Strength of random augmentation, 0 (none) to 1.
        start_size: Side in pixels that training starts with, to grow to the network's own in four stages while augmentation and
            dropout grow too (Tan & Le 2021): large images cost less so. Full size throughout when left out.
    """

    lr: float = 4e-4
    head_lr: float = 2e-3
    weight_decay: float = 0.02
    recipe: Literal["linear_probe", "head_then_full", "gradual", "full"] = "head_then_full"
    layer_decay: float = 1.0
    batch_norm: Literal["auto", "train", "frozen"] = "auto"
    warmup_share: float = 0.1
    loss: Literal["cross_entropy", "focal", "asymmetric"] = "cross_entropy"
    slice_loss: float = 0.5
    label_smoothing: float = 0.0
    mixup: float = 0.0
    class_weighting: Literal["none", "balanced"] = "none"
    mitigation: Literal["none", "balanced_sampling", "group_dro"] = "none"
    mitigation_attribute: str | None = None
    ema_decay: float = 0.0
    patience: int = 8
    augment: float = 0.5
    start_size: int | None = None


@dataclass(frozen=True)
class CalibrationConfig:
    """How logits become probabilities and decisions, on the calibrate split.

    Args:
        method: ``auto`` (multi-label: Platt per finding, temperature below 50 positives; multi-class: temperature),
            ``temperature``, ``platt``, ``beta`` (from 50 positives), ``isotonic`` (from 1000 positives) or ``none``.
        criterion: The rule of the operating point.
        target: The sensitivity or specificity to hold; not used by ``youden`` and ``cost``.
        cost_ratio: How many false alarms one missed finding counts for; of ``cost`` alone.
        conformal_alpha: The share of samples with a finding, and of those without it, whose conformal set may miss the truth;
            0 switches the sets off.
        prevalence: Finding: its prevalence where the model will be used. ``predict`` corrects probabilities for it (label shift
            only); ``fit`` and ``evaluate`` do not.
    """

    method: Literal["auto", "temperature", "platt", "beta", "isotonic", "none"] = "auto"
    criterion: Literal["sensitivity", "specificity", "youden", "cost"] = "sensitivity"
    target: float = 0.90
    cost_ratio: float | None = None
    conformal_alpha: float = 0.1
    prevalence: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ExplainConfig:
    """Which cases are explained after a fit, and how.

    Args:
        samples: How many test samples get a saliency overlay: the most confident right and wrong calls of each finding.
        method: The saliency method (docs/explain.md). ``grad_cam`` comes with the forward pass; the last two cost many passes.
    """

    samples: int = 12
    method: SaliencyMethod = "grad_cam"


@dataclass(frozen=True)
class HumanStatements:
    """What only a person can say. Left blank, the report prints NOT PROVIDED.

    Args:
        intended_use: What the model is for.
        population: Whom it may be used on.
        contraindications: Where it must not be used.
        reference_standard: How the labels were made.
        ethics: Ethics approval.
        limits: Known limits.
        gap_meaning: What a gap between subgroups means for patients here, and from which size on it matters.
        owner: Who answers for it, with a contact.
    """

    intended_use: str = ""
    population: str = ""
    contraindications: str = ""
    reference_standard: str = ""
    ethics: str = ""
    limits: str = ""
    gap_meaning: str = ""
    owner: str = ""


@dataclass(frozen=True)
class AuditConfig:
    """The audit report.

    Args:
        margin: Equivalence margin of a gap between subgroups: a gap whose interval lies inside ±margin passes.
        bootstrap: Patient resamples of interval estimates that have no closed form.
        intersections: Attributes to cross, such as [[sex, age_band]]: declared here, before anyone has seen a figure.
        standardise: Attributes whose mix is held equal between subgroups in standardised figures, where the data have them.
        statements: What only a person can say.
    """

    margin: float = 0.05
    bootstrap: int = 2000
    intersections: tuple[tuple[str, ...], ...] = ()
    standardise: tuple[str, ...] = ("age_band", "view")
    statements: HumanStatements = field(default_factory=HumanStatements)


@dataclass(frozen=True)
class ReviewConfig:
    """The review dashboard.

    Args:
        port: Port on the loopback address.
        store: Where readings are kept: a SQLite file, or ``postgresql+psycopg://user@host/database`` (its password in
            PGPASSWORD or ~/.pgpass); ``reviews.sqlite`` in the run when left out.
        idle_minutes: A signed-in session ends after this long without use.
    """

    port: int = 8501
    store: str | None = None
    idle_minutes: int = 30


@dataclass(frozen=True)
class Config:
    """One experiment.

    Args:
        seed_everything: Seed of split, initial weights, order and augmentation.
        run_dir: The run directory; ``runs/<config name>-<UTC time>`` when left out.
        data: What to learn from.
        model: The network.
        trainer: Lightning's Trainer.
        optimizer: How weights are learnt.
        calibration: How logits become probabilities and decisions.
        explain: Which cases are explained.
        audit: The audit report.
        review: The review dashboard.
    """

    seed_everything: int = 0
    run_dir: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    explain: ExplainConfig = field(default_factory=ExplainConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    review: ReviewConfig = field(default_factory=ReviewConfig)
