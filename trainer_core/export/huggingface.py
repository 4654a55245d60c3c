"""The files of a Hugging Face model folder: weights, configuration and tokenizer.

A plain model becomes transformers' own `LlamaForCausalLM`. An index-backed one is the same network
with one module more, so its folder brings code of its own (`remote/`) and its index.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer_core.data.ranks import SEPARATOR_TEXT
from trainer_core.data.tokenizers import TextTokenizer
from trainer_core.spec import ModelConfig
from trainer_core.train.tensor_file import write_tensors

WEIGHTS_FILE = "model.safetensors"
INDEX_FOLDER = "index"
PLAIN_CLASS = "LlamaForCausalLM"
INDEXED_CLASS = "HearthForCausalLM"

_REMOTE = Path(__file__).parent / "remote"
_REMOTE_FILES = ("configuration_hearth.py", "modeling_hearth.py")
_INDEX_CODE = "hearth_index.py"


def hf_weights(weights: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """The model's weights under transformers' names, fused matrices taken apart.

    Args:
        weights: The state of a `Transformer`.
        config: Its shape.

    Returns:
        Views of the same memory. Tied embeddings stand once.
    """
    q_width, kv_width = config.n_embd, config.kv_heads * config.head_size
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
    renamed["model.norm.weight"] = weights["norm.weight"]
    if not config.tie_embeddings:
        renamed["lm_head.weight"] = weights["head.weight"]
    if config.match_input:
        renamed |= {name: value for name, value in weights.items() if name.startswith("match.")}
    return renamed


def hf_config(config: ModelConfig, separator: int) -> dict[str, Any]:
    """The content of `config.json`; the rotary base stands where old and new releases look."""
    content: dict[str, Any] = {
        "architectures": [PLAIN_CLASS],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "hidden_size": config.n_embd,
        "intermediate_size": config.inner,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "hidden_act": "silu",
        "max_position_embeddings": config.context_length,
        "initializer_range": 0.02,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "tie_word_embeddings": config.tie_embeddings,
        "use_cache": True,
        "bos_token_id": separator,
        "eos_token_id": separator,
        "pad_token_id": separator,
        "dtype": "float32",
        "torch_dtype": "float32",
    }
    if config.match_input:
        content |= {
            "architectures": [INDEXED_CLASS],
            "model_type": "hearth",
            "auto_map": {
                "AutoConfig": "configuration_hearth.HearthConfig",
                "AutoModelForCausalLM": f"modeling_hearth.{INDEXED_CLASS}",
            },
            "match_length_max": config.match_length_max,
            "index_folder": INDEX_FOLDER,
        }
    return content


def generation_config(separator: int) -> dict[str, Any]:
    """The content of `generation_config.json`: a document ends where the next would begin."""
    return {
        "bos_token_id": separator,
        "eos_token_id": separator,
        "pad_token_id": separator,
        "do_sample": True,
        "temperature": 0.8,
        "top_k": 50,
        "top_p": 0.95,
    }


def tokenizer_json(tokenizer: TextTokenizer) -> str:
    """The content of `tokenizer.json`; each text opens with the separator, as in training."""
    content = json.loads(tokenizer.to_hf_json())
    opening = {"SpecialToken": {"id": SEPARATOR_TEXT, "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [opening, first],
        "pair": [opening, first, opening, second],
        "special_tokens": {
            SEPARATOR_TEXT: {
                "id": SEPARATOR_TEXT,
                "ids": [tokenizer.separator],
                "tokens": [SEPARATOR_TEXT],
            }
        },
    }
    return json.dumps(content, ensure_ascii=False)


def tokenizer_config(context_length: int) -> dict[str, Any]:
    """The content of `tokenizer_config.json`.

    `split_special_tokens` keeps the separator's text inside a prompt plain text, as it is here.
    """
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SEPARATOR_TEXT,
        "eos_token": SEPARATOR_TEXT,
        "pad_token": SEPARATOR_TEXT,
        "padding_side": "left",
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_model(
    folder: Path, weights: Mapping[str, Tensor], config: ModelConfig, tokenizer: TextTokenizer
) -> None:
    """Write everything that transformers reads, but for the index.

    Raises:
        OSError: The disk is full or gone.
    """
    write_tensors(folder / WEIGHTS_FILE, hf_weights(weights, config), metadata={"format": "pt"})
    _write_json(folder / "config.json", hf_config(config, tokenizer.separator))
    _write_json(folder / "generation_config.json", generation_config(tokenizer.separator))
    _write_json(folder / "tokenizer_config.json", tokenizer_config(config.context_length))
    (folder / "tokenizer.json").write_text(tokenizer_json(tokenizer), encoding="utf-8")


def write_index_code(folder: Path, index_code: Path) -> None:
    """Write the code that an index-backed folder brings along.

    Args:
        folder: The export.
        index_code: The module that reads the index with numpy alone.

    Raises:
        OSError: The disk is full or gone.
    """
    for name in _REMOTE_FILES:
        shutil.copyfile(_REMOTE / name, folder / name)
    shutil.copyfile(index_code, folder / _INDEX_CODE)
