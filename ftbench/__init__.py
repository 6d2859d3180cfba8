"""ftbench: a declarative benchmark compiler for federated fine-tuning of language models."""

__version__ = "0.2.0"
