"""The verbs that ask an index: `lookup`, `duplicates`, `contamination`, `value`.

Each result is the plain values that the function of that name gives; the same as with `--json`, but
for lists too long for a journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trainer_core import spec as specs
from trainer_core.answers.asked import Report, open_asked
from trainer_core.answers.contamination import contamination_of
from trainer_core.answers.duplicates import duplicates_in
from trainer_core.answers.lookup import look_up
from trainer_core.answers.value import value_on_held_out
from trainer_core.journal import RECORD_BYTES_MAX

if TYPE_CHECKING:
    from trainer_core.job import Job

RESULT_BYTES_MAX = RECORD_BYTES_MAX // 2
"""A job's result is a record of its journal; lists that make it larger lose their ends."""

Question = specs.LookupSpec | specs.DuplicatesSpec | specs.ContaminationSpec | specs.ValueSpec


def run(job: Job, spec: Question) -> dict[str, Any]:
    """Answer a question as a job.

    Raises:
        KnownError: The index, the corpus or a text cannot be read, or they do not fit together.
        JobStopped: The job was asked to stop.
    """
    job.state("running")
    return _fitting(answer(spec, job.progress))


def _fitting(values: dict[str, Any]) -> dict[str, Any]:
    """The values with their longest lists shortened until one record of a journal holds them."""
    while len(msgspec.msgpack.encode(values)) > RESULT_BYTES_MAX:
        lists = {name: value for name, value in values.items() if isinstance(value, list)}
        name = max(lists, key=lambda name: len(msgspec.msgpack.encode(lists[name])))
        values = {**values, name: lists[name][: len(lists[name]) // 2]}
    return values


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
