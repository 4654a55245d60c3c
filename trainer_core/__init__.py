"""The work behind Hearth: data, index, model, training, evaluation, generation and export."""

__version__ = "0.1.0"
