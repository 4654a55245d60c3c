# mypy: ignore-errors
"""Configuration of a Hearth model: which parts its transformer has, and how it reads matches."""

from transformers import PretrainedConfig


class HearthConfig(PretrainedConfig):
    """Shape and parts of the transformer.

    Args:
        vocab_size: Tokens in the vocabulary.
        hidden_size: Width of the stream.
        intermediate_size: Width of the feed-forward layer.
        num_hidden_layers: Blocks.
        num_attention_heads: Heads of queries.
        num_key_value_heads: Heads of keys and values.
        head_dim: Width of one head.
        max_position_embeddings: Tokens that the model was trained on at once.
        norm: `rms` or `layer`.
        norm_eps: Added to a mean square before its root is taken.
        positions: `rotary` or `learned`.
        rope_base: Base of the rotary angles.
        feed_forward: `swiglu`, `gelu` or `relu2`.
        biases: Whether the outputs of attention and both feed-forward matrices have biases.
        qkv_bias: Whether queries, keys and values have one.
        qk_norm: Whether each head's queries and keys are normed.
        value_residual: Whether each layer mixes the first layer's values into its own.
        deepnet: Whether norms stand behind each addition, and the stream is weighed above it.
        tied: Whether the output matrix is the token embedding.
        use_cache: Whether keys and values of what was read are kept.
    """

    model_type = "hearth"

    def __init__(
        self,
        vocab_size: int = 257,
        hidden_size: int = 128,
        intermediate_size: int = 352,
        num_hidden_layers: int = 4,
        num_attention_heads: int = 4,
        num_key_value_heads: int = 4,
        head_dim: int = 32,
        max_position_embeddings: int = 256,
        norm: str = "rms",
        norm_eps: float = 1e-5,
        positions: str = "rotary",
        rope_base: float = 10_000.0,
        feed_forward: str = "swiglu",
        biases: bool = False,
        qkv_bias: bool = False,
        qk_norm: bool = False,
        value_residual: bool = False,
        deepnet: bool = False,
        tied: bool = True,
        use_cache: bool = True,
        **kwargs: object,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.num_key_value_heads = num_key_value_heads
        self.head_dim = head_dim
        self.max_position_embeddings = max_position_embeddings
        self.norm = norm
        self.norm_eps = norm_eps
        self.positions = positions
        self.rope_base = rope_base
        self.feed_forward = feed_forward
        self.biases = biases
        self.qkv_bias = qkv_bias
        self.qk_norm = qk_norm
        self.value_residual = value_residual
        self.deepnet = deepnet
        self.tied = tied
        self.use_cache = use_cache
        # The weights are tied by the model's own code, not by transformers'.
        super().__init__(**{**kwargs, "tie_word_embeddings": False})


class HearthIndexConfig(HearthConfig):
    """The same, and how the longest match is read.

    Args:
        match_form: `hearth`, or `tscale`, which embeds the next token and no more.
        match_length_max: The longest match that is told apart, in tokens.
        match_gate_rate: What the tables of the pointers' log-odds are multiplied by.
        index_folder: Name of the index's folder beside the weights.
    """

    model_type = "hearth_index"

    def __init__(
        self,
        match_form: str = "hearth",
        match_length_max: int = 32,
        match_gate_rate: float = 8.0,
        index_folder: str = "index",
        **kwargs: object,
    ) -> None:
        self.match_form = match_form
        self.match_length_max = match_length_max
        self.match_gate_rate = match_gate_rate
        self.index_folder = index_folder
        super().__init__(**kwargs)
