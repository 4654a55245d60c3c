"""`hearth-core sample`: a continuation in the terminal, plain or as JSON."""

from __future__ import annotations

import argparse
import codecs
import json
import sys
import time
from typing import Any

from trainer_core import spec as specs
from trainer_core.errors import ExitCode
from trainer_core.generate.attribution import Attribution
from trainer_core.generate.generation import Generation, generate
from trainer_core.generate.loaded import Loaded, load_run
from trainer_core.generate.token import GeneratedToken
from trainer_core.protocol import Generate


def sample(args: argparse.Namespace) -> ExitCode:
    """Carry out `hearth-core sample`.

    Raises:
        SpecError: An option is out of range.
        KnownError: The run cannot be opened.
    """
    options = {
        "request": 0,
        "prompt": args.prompt,
        "temperature": args.temperature,
        "top_k": args.top_k,
        "top_p": args.top_p,
        "min_p": args.min_p,
        "max_tokens": args.max_tokens,
        "seed": args.seed,
        "use_index": not args.no_index,
    }
    ask: Generate = specs.convert({"type": "generate", **options}, Generate, "the options")
    loaded = load_run(args.run, args.checkpoint, device="cpu")
    for note in loaded.notes:
        print(note, file=sys.stderr)
    generation = generate(loaded, ask)
    began_s = time.monotonic()
    tokens = _print_json(loaded, generation) if args.json else _print_text(ask, generation)
    seconds = time.monotonic() - began_s
    backed = sum(token.backed_length >= 4 for token in tokens)
    print(
        f"{len(tokens):,} tokens in {seconds:.1f} s ({len(tokens) / max(seconds, 1e-9):,.0f} per"
        f" second), {backed:,} of them continue a match of 4 tokens or more; ended by"
        f" {generation.reason.replace('_', ' ')}.",
        file=sys.stderr,
    )
    return ExitCode.OK


def _print_text(ask: Generate, generation: Generation) -> list[GeneratedToken]:
    """Stream the prompt and what follows it to standard output."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    tokens: list[GeneratedToken] = []
    print(ask.prompt, end="", flush=True)
    for token in generation:
        tokens.append(token)
        print(decoder.decode(token.data), end="", flush=True)
    print(decoder.decode(b"", final=True))
    return tokens


def _print_json(loaded: Loaded, generation: Generation) -> list[GeneratedToken]:
    """Print one object with every token's figures."""
    attribution = Attribution(loaded.corpus, loaded.index)
    tokens = list(generation)
    content = {
        "run": str(loaded.run),
        "step": loaded.checkpoint.step,
        "prompt": generation.ask.prompt,
        "prompt_tokens": generation.prompt_tokens,
        "reason": generation.reason,
        "text": b"".join(token.data for token in tokens).decode("utf-8", "replace"),
        "tokens": [_facts(loaded, attribution, token) for token in tokens],
    }
    print(json.dumps(content, indent=1, ensure_ascii=False))
    return tokens


def _facts(loaded: Loaded, attribution: Attribution, token: GeneratedToken) -> dict[str, Any]:
    return {
        "token": token.token,
        "text": token.data.decode("utf-8", "replace"),
        "probability": round(token.probability, 6),
        "entropy": round(token.entropy, 4),
        "match_length": token.match_length,
        "match_kind": token.match_kind,
        "followed": token.followed,
        "document": attribution.title_of(token),
        "top": [
            {
                "text": loaded.tokenizer.token_bytes(other).decode("utf-8", "replace"),
                "probability": round(probability, 6),
            }
            for other, probability in token.top
        ],
    }
