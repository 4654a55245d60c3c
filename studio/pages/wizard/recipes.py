"""What a run can set out to do: settings that others have published, and what came of them.

Figures were measured by those who published them, on their data; what Hearth reaches on the same
text may differ, and a run on other text cannot be compared by loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from studio.pages.wizard.draft import TOKENS, Draft, Value
from studio.pages.wizard.sequences import SequenceForm
from studio.planner import CHINCHILLA_TOKENS_PER_PARAMETER
from trainer_core.presets import GPT2_VOCAB_SIZE, PRESETS, parameter_count
from trainer_core.spec import Packing


@dataclass(frozen=True)
class Recipe:
    """Settings with a name.

    Attributes:
        key: In drafts.
        title: As people read it.
        short: What it is, a few words.
        figure: What it reached, a few words.
        reproduces: Whose work it is, one or two sentences.
        published: What came of it, one or two sentences.
        preset: Name of the model's size.
        values: Settings by their paths; `tokens` is the budget.
        packing: How documents become sequences.
        text: Title of the known dataset that it was done on; empty: any text will do.
        vocab_size: Of its tokenizer; 0: any.
    """

    key: str
    title: str
    short: str
    figure: str
    reproduces: str
    published: str
    preset: str
    values: Mapping[str, Value] = field(default_factory=dict)
    packing: Packing = "stream"
    text: str = ""
    vocab_size: int = 0


_FINEWEB = "FineWeb, 10B sample"
_FINEWEB_EDU = "FineWeb-Edu, 10B sample"
_SMOLLM = "smollm-corpus, Cosmopedia v2"

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        key="tour",
        title="The tour",
        short="4 layers of 128, three minutes on two cores",
        figure="Loss 4.16 plain, 2.23 with the index",
        reproduces="Hearth's own beginning: a small model on the Python library that every computer"
        " with Hearth has, once plain and once with the memory index.",
        published="4.16 nats per token plain and 2.23 with the index, after three minutes on two"
        " cores. The tour does all of it by itself, reading and indexing included.",
        preset="tour",
        values={"model.match_input": True},
    ),
    Recipe(
        key="51m-in-a-day",
        title="51M in a day",
        short="8 layers of 512, 1.13B tokens",
        figure="Size chosen for 3.3e17 operations; no sound loss published",
        reproduces="“Not-so-large LM for $50”: a GPT of 51M parameters, whose size and budget were"
        " read off Chinchilla's curve at 3.3e17 operations.",
        published="It tells a perplexity of 0.83, which cannot be: none is below 1. It is a loss,"
        " and one that padding made smaller. Hearth counts no padding.",
        preset="51M",
        values={TOKENS: 1.13e9, "model.match_input": False},
        vocab_size=50_000,
    ),
    Recipe(
        key="gpt2-small-48h",
        title="GPT-2 small in 48 hours",
        short="163M parameters, 3.28B tokens, batch 6",
        figure="3.94 on FineWeb, 3.69 on FineWeb-Edu",
        reproduces="A base model of GPT-2's size, trained at home on one RTX 3090 in two days:"
        " 163,009,536 parameters, output matrix of its own, no bias on queries, keys and values,"
        " dropout 0.1, AdamW at 4e-4 throughout, no clipping, fp16; five minutes of validation in"
        " each half hour.",
        published="3.94 nats per token on FineWeb; 3.693 on FineWeb-Edu, and 3.661 with twice the"
        " tokens. OpenAI's own GPT-2 small reaches 3.50 on that text.",
        preset="163M",
        values={
            TOKENS: 3.28e9,
            "model.match_input": False,
            "budget.batch_size": 6,
            "optimizer.lr": 4e-4,
            "optimizer.schedule": "constant",
            "optimizer.warmup_steps": 0,
            "optimizer.weight_decay": 0.1,
            "optimizer.beta2": 0.999,
            "optimizer.clip_norm": 0.0,
            "precision": "fp16",
            "evaluation.time_share": 0.14,
            "evaluation.max_tokens": 3200 * 6 * 1024,
        },
        text=_FINEWEB,
        vocab_size=GPT2_VOCAB_SIZE,
    ),
    Recipe(
        key="125m-index",
        title="125M with a 1T-style index",
        short="50 layers of 512, 9.83B tokens, index of the text",
        figure="Loss 0.825 with the index, 2.945 without",
        reproduces="TScale's “1T model at home”: 125M parameters beside the embeddings, 100,000"
        " steps of 96 × 1,024 tokens, and an index over the text that names what followed the"
        " longest match.",
        published="Loss 0.825 against 2.945 without the index; HellaSwag 36.02 % against 32.73 %."
        " Much of that gain is text that occurs twice: see losses by match length.",
        preset="124M",
        values={
            TOKENS: 100_000 * 96 * 1024,
            "model.match_input": True,
            "model.match_form": "tscale",
            "model.n_layer": 50,
            "model.n_embd": 512,
            "model.n_head": 8,
            "model.n_inner": 960,
            "budget.batch_size": 96,
            "budget.micro_batch_size": 24,
        },
        text=_FINEWEB_EDU,
        vocab_size=GPT2_VOCAB_SIZE,
    ),
    Recipe(
        key="small-llm",
        title="Small LLM on smollm-corpus",
        short="124M, blocks of 4,096, documents apart",
        figure="Settings published, no final loss",
        reproduces="forgather's small language model: whole documents packed into blocks of 4,096"
        " with masks between them, learning rate 1.4e-5 times the root of the batch, 500 steps of"
        " warm-up, cosine, clipping at 4.0, bf16, the 4 newest and 2 best checkpoints kept.",
        published="Its settings are published, its final loss is not.",
        preset="124M",
        values={
            "model.match_input": False,
            "model.context_length": 4096,
            "budget.batch_size": 32,
            "budget.micro_batch_size": 4,
            "optimizer.lr": 1.4e-5,
            "optimizer.lr_scaling": "sqrt_batch",
            "optimizer.warmup_steps": 500,
            "optimizer.schedule": "cosine",
            "optimizer.clip_norm": 4.0,
            "precision": "bf16",
            "checkpoint.keep": 4,
            "checkpoint.keep_best": 2,
        },
        packing="best_fit",
        text=_SMOLLM,
    ),
)
OWN_TITLE = "My own"


def recipe_of(draft: Draft) -> Recipe | None:
    """The recipe that a draft began with; None: it is one's own."""
    return next((recipe for recipe in RECIPES if recipe.key == draft.goal), None)


def with_recipe(draft: Draft, recipe: Recipe) -> Draft:
    """The draft with everything that a recipe sets; the data stays.

    A recipe without a budget takes what suits its size; the tour reads its text twice at the most.
    """
    own_name = draft.has_suggested_name
    made = replace(draft, extra=(), base=None, continues=None, goal=recipe.key, fixed="")
    made = made.with_preset(recipe.preset)
    made = replace(made, sequences=SequenceForm(packing=recipe.packing))
    budget = {TOKENS: _budget(recipe, draft)} if TOKENS not in recipe.values else {}
    made = made.with_values({**recipe.values, **budget})
    return replace(made, name=made.suggested_name()) if own_name else made


def _budget(recipe: Recipe, draft: Draft) -> float:
    """Training tokens that suit a recipe's size."""
    config = PRESETS[recipe.preset].config
    vocab_size = draft.data.vocab_size if draft.data else config.vocab_size
    model = PRESETS[recipe.preset].model(vocab_size)
    tokens = CHINCHILLA_TOKENS_PER_PARAMETER * parameter_count(model)
    if recipe.key == "tour" and draft.data is not None:
        return min(tokens, 2.0 * draft.data.train_tokens)
    return tokens
