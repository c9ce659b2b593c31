"""Everything medclassify raises on purpose.

MedclassifyError
├── ConfigError            a config file or an option: unknown key, wrong type, contradiction
├── DicomError             one image file; a folder of many goes on without it
│   ├── NotAnImageError        not DICOM, PNG or JPEG, or no pixel data in it
│   ├── UnsupportedImageError  an image we must not guess about (syntax, frames, colour)
│   └── DecodeError            the pixel data is truncated or corrupt
├── ManifestError          labels, manifest or the join between them
│   ├── SplitError             a split cannot be made or cannot be used (one class, no patients)
│   └── LeakageError           a patient or an image stands in two splits
├── MetricError            an array a statistic cannot be computed from
├── CalibrationError       a calibrator that must not be fitted or applied
├── WeightsError           weights that are missing, unreadable or do not fit the network
├── RunError               a run directory that is incomplete, in use or changed
├── ExplainError           a network that a method cannot explain, or a map that cannot be scored
├── GateError              a rule of a policy does not hold
├── ReviewError            a decision that cannot be stored
│   ├── NotAllowedError        a step that a role or the reading protocol forbids
│   └── StaleError             a step on a reading that has moved on meanwhile
└── StorageError           the disk: full, read-only, not there

Every message is one line: what, where, what was received, how to mend it. The command line prints it and exits with 1.
"""


class MedclassifyError(Exception):
    """The root: catch it to catch everything this library raises on purpose."""


class ConfigError(MedclassifyError):
    """A config file or a command-line option is not usable."""


class DicomError(MedclassifyError):
    """One image file cannot be used.

    Attributes:
        reason: What lists of excluded files say.
    """

    reason = "unreadable"


class NotAnImageError(DicomError):
    """The file is not DICOM, PNG or JPEG, or holds no pixel data."""

    reason = "unreadable: no image in it"


class UnsupportedImageError(DicomError):
    """The file is an image whose meaning this version would have to guess."""

    reason = "unreadable: a kind of image that is not supported"


class DecodeError(DicomError):
    """The pixel data is truncated or corrupt."""

    reason = "unreadable: damaged or cut short"


class ManifestError(MedclassifyError):
    """Labels, manifest, or the join between them."""


class SplitError(ManifestError):
    """A split cannot be made, or cannot be used for what it is for."""


class LeakageError(ManifestError):
    """A patient or an image stands in more than one split."""


class MetricError(MedclassifyError):
    """A statistic was asked of an array that it cannot be computed from."""


class CalibrationError(MedclassifyError):
    """A calibrator cannot be fitted or applied."""


class WeightsError(MedclassifyError):
    """Weights are missing, unreadable, or do not fit the network."""


class RunError(MedclassifyError):
    """A run directory is incomplete, in use, or not what its provenance says."""


class ExplainError(MedclassifyError):
    """A method cannot explain this network, or a map cannot be scored."""


class GateError(MedclassifyError):
    """A run or an audit does not keep its policy."""


class ReviewError(MedclassifyError):
    """A review decision cannot be stored or read."""


class NotAllowedError(ReviewError):
    """A role or the reading protocol forbids this step."""


class StaleError(ReviewError):
    """The reading has moved on meanwhile, in another window or by another process: look at it again."""


class StorageError(MedclassifyError):
    """The disk is full, read-only, or not there."""
