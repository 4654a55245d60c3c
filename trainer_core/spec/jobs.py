"""Every verb and its spec."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.rule_language import RuleError, parse
from trainer_core.spec.data import InspectSpec
from trainer_core.spec.index import (
    ContaminationSpec,
    DuplicatesSpec,
    IndexSpec,
    LookupSpec,
    ValueSpec,
)
from trainer_core.spec.prepare import DumpSpec, PrepareSpec, PreviewSpec, TokenizersSpec
from trainer_core.spec.probe import ProbeSpec
from trainer_core.spec.section import Section, Seed
from trainer_core.spec.sources import TaskName
from trainer_core.spec.train import TrainSpec
from trainer_core.spec.trained import EvaluateSpec, ExportSpec, GenerateSpec


class TourSpec(Section, frozen=True, kw_only=True, tag="tour", tag_field="verb"):
    """The whole main job on this computer's Python library, plain and with the index."""

    budget_s: Annotated[float, Meta(ge=10.0, le=86_400.0)] = 180.0
    """How long the whole tour may take, in seconds."""
    steps: Annotated[int, Meta(ge=0)] = 0
    """Steps per model; 0 measures the computer and takes what fits the budget."""
    max_bytes: Annotated[int, Meta(ge=0)] = 24_000_000
    """How much of the Python library to read; 0 reads all."""
    seed: Seed = 1337


class QueueSpec(Section, frozen=True, kw_only=True, tag="queue", tag_field="verb"):
    """Start the trainings of a waiting list one after the other, each when its time has come.

    The list stands in the job folder itself; see `trainer_core.waiting_list`.
    """

    runs: tuple[str, ...] = ()
    """Folders that hold the job folders of trainings: one at work there keeps the others waiting,
    whoever started it."""
    poll_s: Annotated[float, Meta(ge=0.05, le=3600.0)] = 2.0
    """How often to look, in seconds."""


class RulesSpec(Section, frozen=True, kw_only=True, tag="rules", tag_field="verb"):
    """Train a small model on a rule task, and score how far it keeps the rules."""

    task: TaskName | Literal["own"]
    own: str = ""
    """One's own rules, where the task is `own`; in the language of `trainer_core.rule_language`."""
    lines: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    """How many to make; 0 takes as many as the task has."""
    steps: Annotated[int, Meta(ge=0)] = 0
    """Training steps; 0 takes as many as are known to do."""
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    """CPU threads; 0 takes one per core."""
    seed: Seed = 1337
    """Draws the lines and the first weights."""

    def __post_init__(self) -> None:
        """Hold the relation between the fields, and make sure that the rules make lines.

        Raises:
            ValueError: They do not; the message names the field and the place.
        """
        if (self.task == "own") != bool(self.own):
            raise ValueError("own has the rules where the task is `own`, and nothing elsewhere")
        try:
            asks = not self.own or bool(parse(self.own).groups)
        except RuleError as error:
            raise ValueError(f"own {error}") from None
        if not asks:
            raise ValueError("own has no line with `=>`: nothing is asked, so nothing is scored")


JobSpec = (
    PreviewSpec
    | TokenizersSpec
    | PrepareSpec
    | InspectSpec
    | DumpSpec
    | IndexSpec
    | LookupSpec
    | DuplicatesSpec
    | ContaminationSpec
    | ValueSpec
    | ProbeSpec
    | TrainSpec
    | EvaluateSpec
    | GenerateSpec
    | ExportSpec
    | TourSpec
    | RulesSpec
    | QueueSpec
)

VERBS: dict[str, type[Section]] = {
    "preview": PreviewSpec,
    "tokenizers": TokenizersSpec,
    "prepare": PrepareSpec,
    "inspect": InspectSpec,
    "dump": DumpSpec,
    "index": IndexSpec,
    "lookup": LookupSpec,
    "duplicates": DuplicatesSpec,
    "contamination": ContaminationSpec,
    "value": ValueSpec,
    "probe": ProbeSpec,
    "train": TrainSpec,
    "evaluate": EvaluateSpec,
    "generate": GenerateSpec,
    "export": ExportSpec,
    "tour": TourSpec,
    "rules": RulesSpec,
    "queue": QueueSpec,
}


def verb_of(spec: Section) -> str:
    """The verb that carries out this spec, such as `train`."""
    tag = spec.__struct_config__.tag
    if not isinstance(tag, str):
        raise TypeError(f"{type(spec).__name__} is a section, not a job")
    return tag
