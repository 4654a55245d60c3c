"""What people call the settings. Free of Qt."""

from __future__ import annotations

NAMES: dict[str, str] = {
    "n_layer": "layers",
    "n_embd": "width",
    "n_head": "heads",
    "n_kv_head": "key heads",
    "vocab_size": "vocabulary",
    "match_input": "memory index",
    "family": "architecture",
    "head_dim": "width of a head",
    "n_inner": "inner width",
    "context_length": "context",
    "batch_size": "batch",
    "lr": "peak learning rate",
    "steps": "steps",
    "seed": "seed",
    "max_length": "longest match",
    "memory_limit_bytes": "memory for the build",
    "threads": "threads of the build",
    "continue_from": "continue from",
}
"""By the last part of their path."""
