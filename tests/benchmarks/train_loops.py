"""Three ways to train the same GPT-2 on the same batches: a textbook's, transformers' and Hearth's.

Letters: B batch, T time, C channels, H heads, D head size, V vocabulary.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that everybody knows)
from train_shapes import SEED, Shape, batches_of

from trainer_core.data.batches.gather import Batch
from trainer_core.data.batches.prefetch import Prefetcher
from trainer_core.metrics import StepLog
from trainer_core.model.transformer import Transformer
from trainer_core.schedule import lr_factor
from trainer_core.spec import ModelConfig, OptimizerConfig
from trainer_core.train.compute import choose_compute
from trainer_core.train.meter import StepMeter
from trainer_core.train.optim import make_optimizer
from trainer_core.train.step import TrainStep

OPTIMIZER = OptimizerConfig(lr=3e-4, warmup_steps=10)
_STEPS = 1_000_000
"""More than are ever run."""


class TextbookBlock(nn.Module):
    """GPT-2's, as a course writes it down."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.n_embd
        self.n_head = config.n_head
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        b, t, c = x.shape
        q, k, v = (
            part.view(b, t, self.n_head, c // self.n_head).transpose(1, 2)
            for part in self.qkv(self.norm_1(x)).split(c, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # (B, H, T, D)
        x = x + self.out(y.transpose(1, 2).contiguous().view(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class TextbookGPT2(nn.Module):
    """Embeddings, blocks, a norm, and the embeddings again."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.n_embd)
        self.positions = nn.Embedding(config.context_length, config.n_embd)
        self.blocks = nn.ModuleList(TextbookBlock(config) for _ in range(config.n_layer))
        self.norm = nn.LayerNorm(config.n_embd)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, 0.0, 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits, (B, T, V)."""
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight)


def textbook(shape: Shape) -> Iterator[float]:
    """Eager and in float32, an unfused AdamW, the loss read at each step."""
    model = TextbookGPT2(shape.config)
    return _plain_loop(shape, model, model)


def transformers(shape: Shape) -> Iterator[float]:
    """The same loop around `GPT2LMHeadModel`."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = shape.config
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.context_length,
            n_embd=config.n_embd,
            n_layer=config.n_layer,
            n_head=config.n_head,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=None,
            use_cache=False,
        )
    ).train()
    return _plain_loop(shape, model, lambda tokens: model(tokens).logits)


def _plain_loop(shape: Shape, model: nn.Module, logits_of) -> Iterator[float]:
    config = OPTIMIZER
    matrices = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps
    )
    batches = batches_of(shape)
    for step in range(1, _STEPS):
        batch = batches.batch(step)
        for group in optimizer.param_groups:
            group["lr"] = config.lr * lr_factor(step, _STEPS, config)
        logits = logits_of(batch.inputs)
        loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), batch.targets.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield loss.item()


def hearth(shape: Shape, *, compiled: bool = True, precision: str = "auto") -> Iterator[float]:
    """What a run does between two steps of nothing else; losses come as they are handed over."""
    compute = choose_compute("auto", precision, torch.get_num_threads())
    model = Transformer(shape.config, torch.Generator().manual_seed(SEED)).to(compute.device)
    step_ = TrainStep(
        model, make_optimizer(model, OPTIMIZER, shape.batch_size), compute, shape.batch_size
    )
    batches = batches_of(shape)
    with (
        tempfile.TemporaryDirectory() as folder,
        Prefetcher(batches, range(1, _STEPS), compute.device) as ready,
    ):
        meter = StepMeter(
            StepLog(Path(folder) / "steps.bin"), compute.device, batches.tokens_per_step, 0.0
        )
        loss = float("nan")
        for step, batch in enumerate(ready, 1):
            if step == 1 and compiled:
                _compile(step_, batch)
            result, norm = step_(batch, lr_factor(step, _STEPS, OPTIMIZER))
            meter.add(step, result, norm, lr=0.0, hit=batch.hit_rate, match=batch.mean_match)
            if meter.due:
                loss = float(meter.hand_over()["loss"][-1])
            yield loss


def _compile(step: TrainStep, batch: Batch) -> None:
    problem = step.compile(batch)
    if problem:
        raise SystemExit(problem)


LOOPS = {
    "textbook": textbook,
    "transformers": transformers,
    "Hearth, not compiled": lambda shape: hearth(shape, compiled=False),
    "Hearth": hearth,
    "Hearth with index": lambda shape: hearth(shape.with_index()),
}
