"""What a checkpoint's manifest says: what the model was fed with, and what its files must be."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import hashlib
from pathlib import Path

import msgspec

from trainer_core.errors import CheckpointError
from trainer_core.spec import ModelConfig

VERSION = 2
"""2 tells the loader's position, and may be of a checkpoint without an optimizer."""
WEIGHTS = "model.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
MANIFEST = "manifest.json"
WEIGHTS_ONLY = frozenset({WEIGHTS, STATE})
RESUMABLE = WEIGHTS_ONLY | {OPTIMIZER}


class NewerCheckpointError(CheckpointError):
    """A checkpoint that a newer Hearth wrote: not damaged, only unreadable here."""


class FileFact(msgspec.Struct, frozen=True):
    """What a file must be to count as whole."""

    size_bytes: int
    sha256: str


class Fingerprints(msgspec.Struct, frozen=True, kw_only=True):
    """What a training was fed with; a run goes on only with the same."""

    corpus: str
    tokenizer: str
    index: str = ""


class LoaderPosition(msgspec.Struct, frozen=True, kw_only=True):
    """Which text comes next: with the corpus, all that the loader's future depends on."""

    order: int
    """Version of the order that a seed gives."""
    seed: int
    batch_size: int
    context_length: int
    batch: int
    """Number of the batch that the next step takes; beyond that step's own number by the batches
    that were passed over."""
    packing: str = "stream"
    """How documents become sequences."""
    mixing: str = ""
    """How sources are mixed, as JSON; empty where they are drawn by what is left of them."""
    order_seed: int | None = None
    """What the order is drawn with where that is another run's seed; None: the run's own."""
    begun: dict[str, int] = {}
    """Sequences of each source that the runs before this one have seen, by its name; the empty name
    stands for all sources together."""
    drawn: dict[str, int] = {}
    """Those that come before `batch`, of this run and the ones before it."""


class Ancestor(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint whose weights a run began with."""

    run: str
    """Its job folder."""
    step: int
    tokens_seen: int
    digest: str
    """Of its manifest."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint is, and what its files must be to count as whole."""

    version: int = VERSION
    step: int
    tokens_seen: int
    config: ModelConfig
    fingerprints: Fingerprints
    val_loss: float | None
    """Of this very step, in nats per token; None when it was not measured here."""
    saved_s: float
    files: dict[str, FileFact]
    loader: LoaderPosition | None = None
    """None: written by version 1, which passed nothing over."""
    lineage: tuple[Ancestor, ...] = ()
    """The runs that this one continues, the oldest first."""
    digest: str = ""
    """SHA-256 of this manifest with an empty digest."""

    @property
    def resumable(self) -> bool:
        """Whether a training can go on from it, or only its weights were kept."""
        return OPTIMIZER in self.files


class _Version(msgspec.Struct):
    version: int


class _Sealed(msgspec.Struct):
    digest: str


def encode_manifest(manifest: Manifest) -> bytes:
    """The file that `decode_manifest` reads, its digest filled in."""
    blank = msgspec.json.encode(msgspec.structs.replace(manifest, digest=""))
    digest = hashlib.sha256(blank).hexdigest()
    return msgspec.json.encode(msgspec.structs.replace(manifest, digest=digest))


def _is_sealed(data: bytes) -> bool:
    """Whether the digest is that of the rest, byte for byte: older versions wrote other fields."""
    digest = msgspec.json.decode(data, type=_Sealed).digest.encode()
    blank = data.replace(b'"digest":"' + digest + b'"', b'"digest":""', 1)
    return hashlib.sha256(blank).hexdigest().encode() == digest


def damaged(folder: Path, why: str) -> CheckpointError:
    """The error of a checkpoint that is not what was written."""
    return CheckpointError(
        f"The checkpoint {folder} is damaged: {why}.",
        safe="The other checkpoints are not affected.",
        do="Use an earlier checkpoint.",
    )


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint.

    Raises:
        NewerCheckpointError: It was written by a newer version.
        CheckpointError: It is absent or damaged.
    """
    try:
        data = (folder / MANIFEST).read_bytes()
        version = msgspec.json.decode(data, type=_Version).version
        if version > VERSION:
            raise NewerCheckpointError(
                f"The checkpoint {folder} was written by a newer version of Hearth.",
                safe="Nothing was changed.",
                do="Update Hearth to use it.",
            )
        if not _is_sealed(data):
            raise damaged(folder, "its manifest has been changed")
        manifest = msgspec.json.decode(data, type=Manifest)
    except OSError as error:
        raise damaged(folder, error.strerror or str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(folder, f"its manifest is unreadable ({error})") from None
    if frozenset(manifest.files) not in (RESUMABLE, WEIGHTS_ONLY):
        raise damaged(folder, "its manifest names other files")
    return manifest
