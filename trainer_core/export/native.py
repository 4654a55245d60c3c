"""Our weights and shapes as those of transformers' own classes.

A plain model of the families `gpt2`, `llama` and `qwen3` is such a class by another name. What
reads an index, or is built as no class of theirs is, has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from trainer_core.spec import ModelConfig

NATIVE_CLASSES = {
    "gpt2": "GPT2LMHeadModel",
    "llama": "LlamaForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}

Weights = Mapping[str, Tensor]


def native_class(config: ModelConfig) -> str | None:
    """The class of transformers that computes what this shape does, or None."""
    if config.match_input or config.residual_scaling != "none":
        return None
    return NATIVE_CLASSES.get(config.family)


def native_weights(weights: Weights, config: ModelConfig) -> dict[str, Tensor]:
    """The model's weights under transformers' names. Tied embeddings stand once.

    Args:
        weights: The state of a `Transformer` that has a native class.
        config: Its shape.
    """
    return (_gpt2_weights if config.family == "gpt2" else _llama_weights)(weights, config)


def _llama_weights(weights: Weights, config: ModelConfig) -> dict[str, Tensor]:
    """Fused matrices taken apart, views of the same memory; Qwen3's norms of the heads too."""
    q_width, kv_width = config.n_head * config.head_size, config.kv_heads * config.head_size
    renamed = {"model.embed_tokens.weight": weights["embed.weight"]}
    for layer in range(config.n_layer):
        ours, theirs = f"blocks.{layer}.", f"model.layers.{layer}."
        qkv = weights[f"{ours}attention.qkv.weight"]
        q, k, v = torch.split(qkv, [q_width, kv_width, kv_width])
        gate, up = weights[f"{ours}mlp.gate_up.weight"].chunk(2)
        renamed |= {
            f"{theirs}input_layernorm.weight": weights[f"{ours}attention_norm.weight"],
            f"{theirs}self_attn.q_proj.weight": q,
            f"{theirs}self_attn.k_proj.weight": k,
            f"{theirs}self_attn.v_proj.weight": v,
            f"{theirs}self_attn.o_proj.weight": weights[f"{ours}attention.out.weight"],
            f"{theirs}post_attention_layernorm.weight": weights[f"{ours}mlp_norm.weight"],
            f"{theirs}mlp.gate_proj.weight": gate,
            f"{theirs}mlp.up_proj.weight": up,
            f"{theirs}mlp.down_proj.weight": weights[f"{ours}mlp.down.weight"],
        }
        if config.recipe.qk_norm:
            for name in ("q_norm.weight", "k_norm.weight"):
                renamed[f"{theirs}self_attn.{name}"] = weights[f"{ours}attention.{name}"]
    renamed["model.norm.weight"] = weights["norm.weight"]
    if not config.tie_embeddings:
        renamed["lm_head.weight"] = weights["head.weight"]
    return renamed


_GPT2_MODULES = {
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}


def _gpt2_weights(weights: Weights, config: ModelConfig) -> dict[str, Tensor]:
    """Matrices turned over, as OpenAI's were; a bias of 0 where ours has none and theirs must."""
    renamed = {
        "transformer.wte.weight": weights["embed.weight"],
        "transformer.wpe.weight": weights["positions.weight"],
        "transformer.ln_f.weight": weights["norm.weight"],
        "transformer.ln_f.bias": weights["norm.bias"],
    }
    for layer in range(config.n_layer):
        for ours, theirs in _GPT2_MODULES.items():
            weight = weights[f"blocks.{layer}.{ours}.weight"]
            bias = weights.get(f"blocks.{layer}.{ours}.bias")
            name = f"transformer.h.{layer}.{theirs}"
            renamed[f"{name}.weight"] = weight.t().contiguous() if weight.ndim == 2 else weight
            renamed[f"{name}.bias"] = weight.new_zeros(len(weight)) if bias is None else bias
    if not config.tie_embeddings:
        renamed["lm_head.weight"] = weights["head.weight"]
    return renamed


def native_config(config: ModelConfig) -> dict[str, Any]:
    """What `config.json` says of the shape; the rotary base stands where all releases look."""
    common = {
        "architectures": [NATIVE_CLASSES[config.family]],
        "model_type": config.family,
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.tie_embeddings,
        "initializer_range": 0.02,
    }
    return common | (_gpt2_config if config.family == "gpt2" else _llama_config)(config)


def _gpt2_config(config: ModelConfig) -> dict[str, Any]:
    return {
        "n_positions": config.context_length,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_inner": config.inner,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": config.norm_eps,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
    }


def _llama_config(config: ModelConfig) -> dict[str, Any]:
    content: dict[str, Any] = {
        "hidden_size": config.n_embd,
        "intermediate_size": config.inner,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "hidden_act": "silu",
        "max_position_embeddings": config.context_length,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "attention_bias": False,
        "attention_dropout": config.dropout,
    }
    return content | ({"mlp_bias": False} if config.family == "llama" else {})
