"""The verb `export`: one checkpoint becomes a Hugging Face model folder, whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from trainer_core import __version__
from trainer_core.errors import IndexFileError
from trainer_core.export import huggingface
from trainer_core.export.destination import check_destination, files_in, whole_or_absent
from trainer_core.export.destination import write_marker as mark_as_ours
from trainer_core.export.loss_curve import loss_curve
from trainer_core.export.model_card import CURVE_FILE, CardFacts, model_card
from trainer_core.generate.loaded import Loaded, load_run
from trainer_core.index import open_index
from trainer_core.index.lookups import portable
from trainer_core.index.store import MANIFEST_NAME
from trainer_core.job import Job
from trainer_core.metrics import read_rows
from trainer_core.presets import parameter_count
from trainer_core.spec import ExportSpec
from trainer_core.status import STEPS_FILE, read_status


def run(job: Job, spec: ExportSpec) -> dict[str, Any]:
    """Export as the spec asks.

    Returns:
        `destination`, `architecture`, `step`, `parameters`, `size_bytes` and `files` of the folder.

    Raises:
        KnownError: The run, its checkpoint, corpus or index cannot be read; the destination is
            taken; or the disk is full. Nothing is left behind.
        JobStopped: The job was asked to stop.
    """
    destination = Path(spec.destination).expanduser().resolve()
    check_destination(destination)  # before the work, so that the user need not wait for it
    job.state("running")
    job.progress("reading the checkpoint", 0, 1)
    loaded = load_run(Path(spec.run), spec.checkpoint, device="cpu")
    for note in loaded.notes:
        job.note("warning", "Something was passed over", note)
    job.progress("reading the checkpoint", 1, 1)
    with whole_or_absent(destination) as draft:
        write_export(loaded, draft, job, destination.name)
    job.note("good", "Export finished", str(destination), step=loaded.checkpoint.step)
    config = loaded.model.config
    files = files_in(destination)
    return {
        "destination": str(destination),
        "architecture": huggingface.class_name(config),
        "step": loaded.checkpoint.step,
        "parameters": parameter_count(config),
        "size_bytes": sum((destination / name).stat().st_size for name in files),
        "files": list(files),
    }


def write_export(loaded: Loaded, folder: Path, job: Job, name: str) -> None:
    """Write everything into an empty folder.

    Raises:
        IndexFileError: The model is index-backed and its index cannot be opened.
        OSError: The disk is full or gone.
        JobStopped: The job was asked to stop.
    """
    phase = "writing the export"
    job.progress(phase, 0, 4)
    model = loaded.model
    huggingface.write_model(folder, model.state_dict(), model.config, loaded.tokenizer)
    job.progress(phase, 1, 4)
    index_bytes = _write_index(loaded, folder) if model.config.match_input else 0
    job.progress(phase, 2, 4)
    facts = _card_facts(loaded, name, index_bytes)
    (folder / "README.md").write_text(model_card(facts), encoding="utf-8")
    rows = read_rows(loaded.run / STEPS_FILE)[: loaded.checkpoint.step]
    points = [(v.step, v.loss) for v in facts.validations]
    (folder / CURVE_FILE).write_text(loss_curve(rows["loss"], points), encoding="utf-8")
    job.progress(phase, 3, 4)
    mark_as_ours(folder, hearth=__version__, run=str(loaded.run), step=loaded.checkpoint.step)
    job.progress(phase, 4, 4)


def _write_index(loaded: Loaded, folder: Path) -> int:
    """Copy what is needed of the index, and the code that reads it; the copy's size in bytes."""
    if loaded.index is None:
        why = loaded.notes[-1] if loaded.notes else "It is absent."
        raise IndexFileError(
            f"The model cannot be exported without its index. {why}",
            safe="Nothing was written.",
            do="Restore the index, or build it again from the same corpus.",
        )
    source = loaded.index.folder
    open_index(source, verify=True)  # a damaged index must not travel
    target = folder / huggingface.INDEX_FOLDER
    target.mkdir()
    manifest = json.loads((source / MANIFEST_NAME).read_text(encoding="utf-8"))
    for name in portable.needed_files(manifest):
        shutil.copyfile(source / name, target / name)
    huggingface.write_index_code(folder, Path(portable.__file__))
    return sum(path.stat().st_size for path in target.iterdir())


def _card_facts(loaded: Loaded, name: str, index_bytes: int) -> CardFacts:
    status = read_status(loaded.run)
    step = loaded.checkpoint.step
    return CardFacts(
        name=name,
        spec=loaded.spec,
        data=loaded.corpus.manifest,
        step=step,
        tokens_seen=loaded.checkpoint.manifest.tokens_seen,
        validations=[v for v in status.validations if v.step <= step],
        device=status.device,
        index_bytes=index_bytes,
        changes=status.changes,
    )
