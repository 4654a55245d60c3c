"""Tensors in one file: safetensors' format, written so that a full disk and a flipped bit show.

The library's own writer needs a second copy of everything in memory, and a second reading for the
hash. The format is a u64 length, that much JSON, and the tensors' bytes; reading is the library's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trainer_core.errors import CheckpointError
from trainer_core.files import write_hashed
from trainer_core.train.checkpoints.manifest import FileFact

_DTYPES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_READ_BYTES = 1 << 22


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Length and JSON: where each tensor stands, padded so that the first one is aligned."""
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        entries[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def tensor_file_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Size of the file that `write_tensors` would write; tensors on the meta device will do."""
    return len(_header(tensors, {})) + sum(tensor.nbytes for tensor in tensors.values())


def _pieces(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[memoryview]:
    yield memoryview(_header(tensors, metadata))
    for tensor in tensors.values():
        flat = tensor.detach().to("cpu").contiguous().reshape(-1)
        yield flat.view(torch.uint8).numpy().data


def write_pieces(path: Path, pieces: Iterator[memoryview]) -> FileFact:
    """Write a new file through to the disk, hashing it on the way.

    Raises:
        OSError: The disk is full or gone; the file may be half written.
    """
    return FileFact(*write_hashed(path, pieces))


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> FileFact:
    """Write a safetensors file.

    Args:
        path: The new file.
        tensors: By name, on any device.
        metadata: Texts for its header, such as the `format` that transformers looks for.

    Raises:
        OSError: The disk is full or gone; the file may be half written.
    """
    return write_pieces(path, _pieces(tensors, metadata or {}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, on the CPU.

    Raises:
        CheckpointError: The file is absent or no safetensors file.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read: {error}.",
            safe="Nothing was changed.",
            do="Use another checkpoint.",
        ) from None


def file_fact(path: Path) -> FileFact:
    """Size and hash of a file as it is now.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
        return FileFact(file.tell(), digest.hexdigest())
