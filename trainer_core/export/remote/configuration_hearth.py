# mypy: ignore-errors
"""Configuration of a Hearth model: Llama's, and the longest match that its index tells apart."""

from transformers import LlamaConfig


class HearthConfig(LlamaConfig):
    """A Llama configuration with `match_length_max`, in tokens, and the index's folder name."""

    model_type = "hearth"

    def __init__(
        self, match_length_max: int = 32, index_folder: str = "index", **kwargs: object
    ) -> None:
        self.match_length_max = match_length_max
        self.index_folder = index_folder
        super().__init__(**kwargs)
