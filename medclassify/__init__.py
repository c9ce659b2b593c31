"""Fine-tune, calibrate, audit, explain and review EfficientNets on DICOM X-ray and CT images."""

__version__ = "0.1.0"
