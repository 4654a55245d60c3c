"""The files of a Hugging Face model folder: weights, configuration and tokenizer.

A model that transformers has a class for needs nothing else (`native`). What reads an index or is
built otherwise brings code of its own along (`remote/`), and the index.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from trainer_core.data.tokenizers.kinds import TextTokenizer
from trainer_core.export.native import native_class, native_config, native_weights
from trainer_core.model.match_hearth import GATE_RATE
from trainer_core.spec import ModelConfig
from trainer_core.train.checkpoints.tensor_file import write_tensors

WEIGHTS_FILE = "model.safetensors"
INDEX_FOLDER = "index"
PLAIN_CLASS = "HearthForCausalLM"
INDEXED_CLASS = "HearthIndexForCausalLM"
INDEX_CODE = "hearth_index.py"

_REMOTE = Path(__file__).parent / "remote"
_OWN_CODE = ("configuration_hearth.py", "modeling_hearth.py", "modeling_hearth_index.py")


def class_name(config: ModelConfig) -> str:
    """The class that opens the export: transformers' own, or one that the folder brings along."""
    own = INDEXED_CLASS if config.match_input else PLAIN_CLASS
    return native_class(config) or own


def hf_weights(weights: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """The model's weights under the names that its class has.

    Args:
        weights: The state of a `Transformer`.
        config: Its shape.
    """
    return dict(weights) if native_class(config) is None else native_weights(weights, config)


def hf_config(config: ModelConfig, separator: int) -> dict[str, Any]:
    """The content of `config.json`."""
    shape = _own_config(config) if native_class(config) is None else native_config(config)
    return shape | {
        "use_cache": True,
        "bos_token_id": separator,
        "eos_token_id": separator,
        "pad_token_id": separator,
        "dtype": "float32",
        "torch_dtype": "float32",
    }


def _own_config(config: ModelConfig) -> dict[str, Any]:
    """What the code in `remote/` builds the model from."""
    recipe = config.recipe
    content: dict[str, Any] = {
        "architectures": [PLAIN_CLASS],
        "model_type": "hearth",
        "auto_map": {
            "AutoConfig": "configuration_hearth.HearthConfig",
            "AutoModelForCausalLM": f"modeling_hearth.{PLAIN_CLASS}",
        },
        "vocab_size": config.vocab_size,
        "hidden_size": config.n_embd,
        "intermediate_size": config.inner,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "max_position_embeddings": config.context_length,
        "norm": recipe.norm,
        "norm_eps": config.norm_eps,
        "positions": recipe.positions,
        "rope_base": config.rope_theta,
        "feed_forward": recipe.feed_forward,
        "biases": recipe.biases,
        "qkv_bias": recipe.biases and config.qkv_bias,
        "qk_norm": recipe.qk_norm,
        "value_residual": recipe.value_residual,
        "deepnet": config.residual_scaling == "deepnet",
        "tied": config.tie_embeddings,
    }
    if config.match_input:
        content |= {
            "architectures": [INDEXED_CLASS],
            "model_type": "hearth_index",
            "auto_map": {
                "AutoConfig": "configuration_hearth.HearthIndexConfig",
                "AutoModelForCausalLM": f"modeling_hearth_index.{INDEXED_CLASS}",
            },
            "match_form": config.match_form,
            "match_length_max": config.match_length_max,
            "match_gate_rate": GATE_RATE,
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
    separator = _separator_text(tokenizer)
    opening = {"SpecialToken": {"id": separator, "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [opening, first],
        "pair": [opening, first, opening, second],
        "special_tokens": {
            separator: {
                "id": separator,
                "ids": [tokenizer.separator],
                "tokens": [separator],
            }
        },
    }
    return json.dumps(content, ensure_ascii=False)


def _separator_text(tokenizer: TextTokenizer) -> str:
    return next(iter(tokenizer.special_tokens))


def tokenizer_config(tokenizer: TextTokenizer, context_length: int) -> dict[str, Any]:
    """The content of `tokenizer_config.json`.

    `split_special_tokens` keeps the separator's text inside a prompt plain text, as it is here.
    """
    separator = _separator_text(tokenizer)
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": separator,
        "eos_token": separator,
        "pad_token": separator,
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
    _write_json(
        folder / "tokenizer_config.json", tokenizer_config(tokenizer, config.context_length)
    )
    (folder / "tokenizer.json").write_text(tokenizer_json(tokenizer), encoding="utf-8")
    for name in own_code(config):
        shutil.copyfile(_REMOTE / name, folder / name)


def own_code(config: ModelConfig) -> tuple[str, ...]:
    """The files of code that the export brings along, but for the index's."""
    if native_class(config) is not None:
        return ()
    return _OWN_CODE if config.match_input else _OWN_CODE[:2]


def write_index_code(folder: Path, index_code: Path) -> None:
    """Write the code that reads the index.

    Args:
        folder: The export.
        index_code: The module that reads the index with numpy alone.

    Raises:
        OSError: The disk is full or gone.
    """
    shutil.copyfile(index_code, folder / INDEX_CODE)
