"""YAML to a typed, frozen config."""

from medclassify.config.load import config_parser, config_to_yaml, find_config, load_config, read_overrides
from medclassify.config.schema import (
    AuditConfig,
    CalibrationConfig,
    Config,
    DataConfig,
    ExplainConfig,
    FractionsConfig,
    HumanStatements,
    ModelConfig,
    OptimizerConfig,
    PhantomConfig,
    ReviewConfig,
    TrainerConfig,
)

__all__ = [
    "AuditConfig",
    "CalibrationConfig",
    "Config",
    "DataConfig",
    "ExplainConfig",
    "FractionsConfig",
    "HumanStatements",
    "ModelConfig",
    "OptimizerConfig",
    "PhantomConfig",
    "ReviewConfig",
    "TrainerConfig",
    "config_parser",
    "config_to_yaml",
    "find_config",
    "load_config",
    "read_overrides",
]
