"""The verbs that ask an index: `lookup`, `duplicates`, `contamination`, `value`.

Each result is the plain values that the function of that name gives; the same as with `--json`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainer_core import spec as specs
from trainer_core.answers.asked import Report, open_asked
from trainer_core.answers.contamination import contamination_of
from trainer_core.answers.duplicates import duplicates_in
from trainer_core.answers.lookup import look_up
from trainer_core.answers.value import value_on_held_out

if TYPE_CHECKING:
    from trainer_core.job import Job

Question = specs.LookupSpec | specs.DuplicatesSpec | specs.ContaminationSpec | specs.ValueSpec


def run(job: Job, spec: Question) -> dict[str, Any]:
    """Answer a question as a job.

    Raises:
        KnownError: The index, the corpus or a text cannot be read, or they do not fit together.
        JobStopped: The job was asked to stop.
    """
    job.state("running")
    return answer(spec, job.progress)


def answer(spec: Question, report: Report) -> dict[str, Any]:
    """The answer to a question.

    Raises:
        KnownError: The index, the corpus or a text cannot be read, or they do not fit together.
    """
    asked = open_asked(spec)
    match spec:
        case specs.LookupSpec():
            return look_up(asked, spec.text, top=spec.top, sources=spec.sources)
        case specs.DuplicatesSpec():
            return duplicates_in(asked, top=spec.top, report=report)
        case specs.ContaminationSpec():
            return contamination_of(asked, spec, report=report)
        case specs.ValueSpec():
            return value_on_held_out(asked, positions=spec.positions, report=report)
