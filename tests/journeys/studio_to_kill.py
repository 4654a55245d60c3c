"""The studio's side without its window: watches a run and writes to the library until it is killed.

Prints a line `<kind> <number>` for each thing that it was promised is kept.
"""

import itertools
import sys
from pathlib import Path

import numpy as np

from studio.runs.facts import facts_of
from studio.runs.model import JobModel
from studio.runs.tail import JobTail
from studio.storage.library import Library

library = Library.open(Path(sys.argv[1]))
run = library.run(int(sys.argv[2]))
assert not library.read_only, library.read_only_reason
known = len(library.notes(run.id))
print("notes", known, flush=True)

tail, model = JobTail(run.folder), JobModel(run.folder)
for number in itertools.count(known + 1):
    model.apply(tail.poll())
    steps = model.steps.column("step")
    assert np.array_equal(steps, np.arange(len(steps)) + 1), "a gap"
    library.remember_run(run.id, facts_of(model))
    library.remember_checkpoints(run.id, model.checkpoints)
    library.add_note(run.id, f"note {number} " + "x" * 500, step=model.step)
    print("notes", number, flush=True)
    print("step", model.step, flush=True)
    library.add_prompt(f"prompt {number % 7}")
    library.set_setting("looked", number)
