"""The verb `tour`: read, tokenise, index, train twice, compare, sample, export; each one a job."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from trainer_core.files import write_whole_file
from trainer_core.job import Job
from trainer_core.metrics import read_rows
from trainer_core.parts import run_part
from trainer_core.presets import parameter_count
from trainer_core.spec import (
    BpeTokenizer,
    ExportSpec,
    IndexSpec,
    PrepareSpec,
    PythonLibrary,
    TourSpec,
    TrainSpec,
)
from trainer_core.status import STEPS_FILE, JobStatus
from trainer_core.tour import report
from trainer_core.tour.plan import PROMPT, TourPlan, make_plan, train_spec
from trainer_core.tour.sample import write_sample

CORPUS_NAME = "Python library"
DATA, INDEX = "data", "index"
PLAIN, WITH_INDEX = "plain", "with-index"
PLAN_FILE, REPORT_FILE, SAMPLE_FILE = "plan.json", "report.md", "sample.txt"


def run(job: Job, spec: TourSpec) -> dict[str, Any]:
    """Carry out the tour; a tour that was interrupted goes on where it stopped.

    Returns:
        `plain` and `with_index` (loss, bits_per_byte, parameters, train_s), `buckets` (a row for
        each match length), `verdict`, `steps`, `seconds`, `sample`, and `places` (name → path).

    Raises:
        KnownError: One of the jobs failed; the error is that job's.
    """
    started = time.monotonic()
    run_part(job, DATA, CORPUS_NAME, _prepare_spec(spec))
    corpus = job.folder / DATA / "corpus"
    run_part(job, INDEX, CORPUS_NAME, IndexSpec(corpus=str(corpus)))
    index = job.folder / INDEX / "index"
    plan = _plan(job, spec, corpus, index, spec.budget_s - (time.monotonic() - started))
    specs = {
        PLAIN: train_spec(plan, spec, corpus, index, match_input=False),
        WITH_INDEX: train_spec(plan, spec, corpus, index, match_input=True),
    }
    measured = {
        name: _measured(name, train, run_part(job, name, name, train), job.folder / name)
        for name, train in specs.items()
    }
    job.progress("writing a sample", 0, 1)
    sample = write_sample(job.folder / WITH_INDEX, PROMPT, spec.seed)
    write_whole_file(job.folder / SAMPLE_FILE, sample.as_text().encode())
    job.progress("writing a sample", 1, 1)
    for name in specs:
        target = job.folder / "models" / name
        export = ExportSpec(run=str(job.folder / name), destination=str(target))
        run_part(job, f"export-{name}", name, export)
    places = _places(job.folder)
    page = report.markdown(measured[PLAIN], measured[WITH_INDEX], places)
    write_whole_file(job.folder / REPORT_FILE, page.encode())
    return {
        "plain": _facts(measured[PLAIN]),
        "with_index": _facts(measured[WITH_INDEX]),
        "buckets": [msgspec.to_builtins(g) for g in _gains(measured)],
        "verdict": report.verdict(measured[PLAIN], measured[WITH_INDEX]),
        "steps": plan.steps,
        "seconds": time.monotonic() - started,
        "sample": [msgspec.to_builtins(piece) for piece in sample.pieces],
        "places": dict(places),
    }


def _gains(measured: dict[str, report.Measured]) -> list[report.BucketGain]:
    return report.gains(measured[PLAIN], measured[WITH_INDEX])


def _prepare_spec(spec: TourSpec) -> PrepareSpec:
    return PrepareSpec(
        source=PythonLibrary(max_bytes=spec.max_bytes),
        tokenizer=BpeTokenizer(vocab_size=4096),
        name=CORPUS_NAME,
        seed=spec.seed,
    )


def _plan(job: Job, spec: TourSpec, corpus: Path, index: Path, left_s: float) -> TourPlan:
    """The plan of this tour; measured once, so that a resumed tour trains the same models."""
    path = job.folder / PLAN_FILE
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=TourPlan)
    job.progress("measuring this computer", 0, 1)
    plan = make_plan(spec, corpus, index, left_s)
    write_whole_file(path, msgspec.json.encode(plan))
    job.progress("measuring this computer", 1, 1)
    return plan


def _measured(name: str, spec: TrainSpec, status: JobStatus, folder: Path) -> report.Measured:
    last = status.validations[-1]
    rows = read_rows(folder / STEPS_FILE)
    return report.Measured(
        name=name,
        parameters=parameter_count(spec.model),
        loss=last.loss,
        bits_per_byte=last.bits_per_byte,
        train_s=float(rows["elapsed_s"][-1]),
        buckets=last.buckets,
    )


def _facts(measured: report.Measured) -> dict[str, float]:
    return {
        "loss": measured.loss,
        "bits_per_byte": measured.bits_per_byte,
        "parameters": measured.parameters,
        "train_s": measured.train_s,
    }


def _places(folder: Path) -> list[tuple[str, str]]:
    names = {
        "Text and tokenizer": DATA,
        "Index": INDEX,
        "Plain run": PLAIN,
        "Index-backed run": WITH_INDEX,
        "Plain model, Hugging Face format": f"models/{PLAIN}",
        "Index-backed model, Hugging Face format": f"models/{WITH_INDEX}",
        "Sample with sources": SAMPLE_FILE,
        "Report": REPORT_FILE,
    }
    return [(name, str(folder / part)) for name, part in names.items()]
