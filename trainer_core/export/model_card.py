"""The model card: what the model is, what it read, how it did, and what not to expect of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainer_core import __version__
from trainer_core.data.manifest import Manifest
from trainer_core.export.huggingface import INDEX_CODE, INDEX_FOLDER, own_code
from trainer_core.export.native import native_class
from trainer_core.presets import parameter_count
from trainer_core.records import PlanChanged, Validated, bucket_label
from trainer_core.spec import ModelConfig, OptimizerConfig, TrainSpec
from trainer_core.training_plan import TrainingPlan

CURVE_FILE = "loss_curve.svg"


@dataclass(frozen=True)
class CardFacts:
    """What the card tells.

    Attributes:
        name: Title of the model.
        spec: Settings of the run.
        data: Manifest of the corpus.
        step: Step of the exported checkpoint.
        tokens_seen: Training tokens read up to it.
        validations: Those of the run up to this step, oldest first.
        device: What it was trained on, or an empty string.
        index_bytes: Size of the index files beside the model; 0 for a plain model.
        changes: What was changed about the run's plan while it ran.
    """

    name: str
    spec: TrainSpec
    data: Manifest
    step: int
    tokens_seen: int
    validations: Sequence[Validated]
    device: str
    index_bytes: int
    changes: Sequence[PlanChanged] = ()

    @property
    def figures(self) -> Validated | None:
        """The validation of this very step, else the last one before it."""
        return self.validations[-1] if self.validations else None


def _one_line(text: str) -> str:
    """Text that cannot end a table row, a line of YAML or a heading."""
    return " ".join(text.replace("|", "/").split())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(' --- ' for _ in head)}|"]
    return [*lines, *(f"| {' | '.join(_one_line(cell) for cell in row)} |" for row in rows)]


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.2f} GiB"


def _front_matter(facts: CardFacts) -> list[str]:
    tags = ["hearth", "text-generation", *(["longest-match-index"] if facts.index_bytes else [])]
    return [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "tags:",
        *(f"- {tag}" for tag in tags),
        "---",
    ]


def _intro(facts: CardFacts) -> list[str]:
    count = f"{parameter_count(facts.spec.model):,}"
    what = (
        f"A language model with {count} parameters, trained from nothing with Hearth {__version__}."
    )
    if facts.index_bytes:
        what += (
            " Before it writes a token it looks up the longest match of the text so far in its"
            " whole training text."
        )
    return [f"# {_one_line(facts.name)}", "", what]


def _use(facts: CardFacts) -> list[str]:
    config = facts.spec.model
    native = native_class(config)
    remote = "" if native else ", trust_remote_code=True"
    lines = [
        "## Use",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'folder = "path/to/this/folder"',
        f"tokenizer = AutoTokenizer.from_pretrained(folder{remote})",
        f"model = AutoModelForCausalLM.from_pretrained(folder{remote})",
        'inputs = tokenizer("Once upon a time", return_tensors="pt")',
        "text = model.generate(**inputs, max_new_tokens=100)",
        "print(tokenizer.decode(text[0], skip_special_tokens=True))",
        "```",
        "",
    ]
    if native:
        return [*lines, f"No code beyond transformers is needed: it is a `{native}`."]
    code = " and ".join(f"`{name}`" for name in own_code(config))
    lines.append(f"The model's own code is in {code}.")
    if config.match_input:
        lines += [
            f"`{INDEX_CODE}` reads the index and needs numpy. Keep the folder `{INDEX_FOLDER}`",
            "beside it (from the Hub, fetch everything first with",
            "`huggingface_hub.snapshot_download`). `model.use_index = False` switches it off.",
        ]
    return lines


def _data(facts: CardFacts) -> list[str]:
    data = facts.data
    rows = [
        (
            side,
            f"{split.documents:,}",
            f"{split.tokens:,}",
            _size(split.bytes),
        )
        for side, split in (("training", data.train), ("validation", data.validation))
    ]
    skipped = sum(group.count for group in data.source.skipped)
    return [
        "## Data",
        "",
        f"{_one_line(data.name)}: {_one_line(data.source.description)}."
        f" {data.source.documents_read:,} documents were read, {skipped:,} left out."
        f" The split is by document, fixed by seed {data.seed}.",
        "",
        *_table(("part", "documents", "tokens", "text"), rows),
        "",
        f"Tokenizer: {_TOKENIZERS[data.tokenizer_kind]}, {data.vocab_size:,} tokens; the separator"
        f" {data.separator} opens each document and ends a generated text.",
    ]


_TOKENIZERS = {
    "bytes": "bytes",
    "bpe": "own byte-pair encoding",
    "gpt2": "GPT-2's",
    "tiktoken": "one of tiktoken's",
    "tokenizer_json": "from a `tokenizer.json`",
}
_FAMILY_NAMES = {"gpt2": "GPT-2", "llama": "Llama", "qwen3": "Qwen3", "hearth": "Hearth"}
_FEED_FORWARD = {"swiglu": "SwiGLU", "gelu": "GELU", "relu2": "squared ReLU"}


def _architecture(model: ModelConfig) -> str:
    """The family and the parts that it is made of."""
    recipe = model.recipe
    parts = [
        "LayerNorm" if recipe.norm == "layer" else "RMSNorm",
        f"{recipe.positions} positions",
        _FEED_FORWARD[recipe.feed_forward],
        *(["normed queries and keys"] if recipe.qk_norm else []),
        *(["value residual"] if recipe.value_residual else []),
        *(["DeepNet's residual scaling"] if model.residual_scaling == "deepnet" else []),
        "biases" if recipe.biases else "no biases",
    ]
    if recipe.biases and not model.qkv_bias:
        parts[-1] += " but for queries, keys and values"
    return f"{_FAMILY_NAMES[model.family]}: {', '.join(parts)}"


def _optimizer(optimizer: OptimizerConfig) -> str:
    adamw = f"AdamW, β {optimizer.beta1:g} and {optimizer.beta2:g}"
    match optimizer.kind:
        case "adamw":
            return adamw
        case "muon":
            return f"Muon for matrices, momentum {optimizer.muon_momentum:g}; {adamw} for the rest"
        case "adafactor":
            return "Adafactor"


def _learning_rate(spec: TrainSpec) -> str:
    optimizer = spec.optimizer
    scale = optimizer.lr_scale(spec.budget.batch_size)
    rates = f"{optimizer.lr * scale:g}"
    if optimizer.kind == "muon":
        rates = f"{optimizer.muon_lr * scale:g} for matrices, {rates} for the rest"
    course: str = optimizer.schedule
    if course == "wsd":
        course = f"falling in the last {optimizer.decay_share:.0%}"
    return f"{rates}, warm-up {optimizer.warmup_steps:,} steps, {course}"


def _settings(facts: CardFacts) -> list[str]:
    model, optimizer, budget = facts.spec.model, facts.spec.optimizer, facts.spec.budget
    embeddings = "tied" if model.tie_embeddings else "untied"
    rows = [
        ("architecture", _architecture(model)),
        ("layers × width", f"{model.n_layer} × {model.n_embd}"),
        ("heads (keys and values)", f"{model.n_head} ({model.kv_heads})"),
        ("feed-forward width", f"{model.inner}"),
        ("context", f"{model.context_length:,} tokens"),
        ("embeddings", embeddings),
        ("optimizer", _optimizer(optimizer)),
        ("learning rate", _learning_rate(facts.spec)),
        ("weight decay, clipping", f"{optimizer.weight_decay:g}, {optimizer.clip_norm:g}"),
        ("batch", f"{budget.batch_size:,} × {model.context_length:,} tokens"),
        ("steps", f"{facts.step:,} of {TrainingPlan(facts.spec, facts.changes).steps:,}"),
        ("tokens seen", f"{facts.tokens_seen:,}"),
        ("precision", facts.spec.precision),
        ("seed", f"{facts.spec.seed}"),
    ]
    rows += [
        (f"changed after step {change.step:,}", _change(change))
        for change in facts.changes
        if change.step < facts.step
    ]
    if facts.device:
        rows.append(("trained on", facts.device))
    if model.dropout:
        rows.append(("dropout", f"{model.dropout:g}"))
    if model.match_input:
        rows.append(("longest match", f"up to {model.match_length_max} tokens"))
    return ["## Settings", "", *_table(("setting", "value"), rows)]


def _change(change: PlanChanged) -> str:
    """What a person changed, such as `learning rate 0.0002, 40,000 steps in all`."""
    parts = []
    if change.lr is not None:
        parts.append(f"learning rate {change.lr:g}")
    if change.steps is not None:
        parts.append(f"{change.steps:,} steps in all")
    if change.skip:
        parts.append(f"{change.skip:,} batches left out")
    return ", ".join(parts)


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else "not finite"


def _figures(facts: CardFacts) -> list[str]:
    lines = ["## Figures", ""]
    found = facts.figures
    if found is None:
        return [*lines, "This run measured no held-out text up to this checkpoint."]
    perplexity = math.exp(min(found.loss, 700.0)) if math.isfinite(found.loss) else math.nan
    lines += [
        f"On {found.tokens:,} held-out tokens, at step {found.step:,}:",
        "",
        *_table(
            ("validation loss, nats per token", "perplexity per token", "bits per byte"),
            [
                (
                    _number(found.loss, 4),
                    _number(perplexity, 2),
                    _number(found.bits_per_byte, 4),
                )
            ],
        ),
        "",
        f"![Loss by step]({CURVE_FILE})",
    ]
    rows = [
        (
            bucket_label(b.low, b.high),
            f"{b.tokens:,}",
            _number(b.loss, 3),
            f"{100 * b.hit_rate:.1f} %",
        )
        for b in found.buckets
        if b.tokens
    ]
    if rows:
        head = ("longest match, tokens", "held-out tokens", "loss", "match alone is right")
        lines += ["", "By the length of the longest match in the training text:", ""]
        lines += _table(head, rows)
    return lines


def _limitations(facts: CardFacts) -> list[str]:
    points = [
        "It continues text. It was not trained to follow instructions or to be truthful, and it"
        " repeats the errors, biases and private details of what it read.",
        "Its figures hold for held-out documents of the same source; other text will fare worse."
        " Losses of models with other tokenizers compare by bits per byte only.",
        f"It was trained on at most {facts.spec.model.context_length:,} tokens at once; beyond"
        " them its text degrades.",
        "The licence of the training text applies to what the model repeats from it. No licence"
        " is given here: whoever publishes the model chooses one.",
    ]
    if facts.index_bytes:
        points += [
            f"**The folder `index` ({_size(facts.index_bytes)}) holds the training text itself, as"
            " tokens.** Publish it only if that text may be published.",
            "Where near-duplicates of the held-out text stand in the training text, the index"
            " copies them: part of its gain is such text.",
        ]
    return ["## Limitations", "", *(f"- {point}" for point in points)]


def model_card(facts: CardFacts) -> str:
    """The text of `README.md`."""
    sections = (_intro, _use, _data, _settings, _figures, _limitations)
    lines = _front_matter(facts)
    for section in sections:
        lines += ["", *section(facts)]
    return "\n".join(lines) + "\n"
