"""Where the code of each verb stands."""

from __future__ import annotations

VERB_MODULES = {
    "preview": "trainer_core.data.preview.verb",
    "tokenizers": "trainer_core.data.lab.verb",
    "prepare": "trainer_core.data.preparing.verb",
    "inspect": "trainer_core.inspecting.verb",
    "dump": "trainer_core.data.dumping.verb",
    "index": "trainer_core.index.verb",
    "lookup": "trainer_core.answers.verb",
    "duplicates": "trainer_core.answers.verb",
    "contamination": "trainer_core.answers.verb",
    "value": "trainer_core.answers.verb",
    "probe": "trainer_core.train.probe.verb",
    "train": "trainer_core.train.loop",
    "evaluate": "trainer_core.evals.verb",
    "generate": "trainer_core.generate.server",
    "export": "trainer_core.export.verb",
    "tour": "trainer_core.tour.verb",
    "rules": "trainer_core.rules.verb",
    "queue": "trainer_core.queueing.verb",
}
"""Where each verb's `run(job, spec)` stands; imported when it is needed, since torch is slow."""
