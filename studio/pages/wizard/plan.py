"""What a draft will take: the planner's figures for its settings, and what the index adds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from studio import planner
from studio.pages.data.build_form import make_index_spec
from studio.pages.data.build_plan import BuildPlan, TextSize, plan_build
from studio.pages.wizard.draft import (
    DataChoice,
    Draft,
    build_spec,
    field_message,
    setting_name,
    settings_of,
)
from studio.planner import (
    CHINCHILLA_TOKENS_PER_PARAMETER,
    REPEATS_PAY_LITTLE_PASSES,
    Advice,
    DataFacts,
    Fix,
    ProbeFacts,
    TimeEstimate,
)
from studio.planner.repairs import repair
from studio.widgets.figures import rough_duration
from trainer_core.errors import SpecError
from trainer_core.spec import TrainSpec

__all__ = [
    "CHINCHILLA_TOKENS_PER_PARAMETER",
    "REPEATS_PAY_LITTLE_PASSES",
    "Advice",
    "Fix",
    "Plan",
    "Surroundings",
    "data_facts",
    "make_plan",
]


@dataclass(frozen=True)
class Surroundings:
    """What the plan depends on besides the draft.

    Attributes:
        computer: Earlier runs, the machine, prices, room on the disk.
        builds: Results of the index builds that this computer has done.
    """

    computer: planner.Surroundings = field(default_factory=planner.Surroundings)
    builds: tuple[dict[str, Any], ...] = ()

    def with_probe(self, probe: ProbeFacts | None) -> Surroundings:
        """The same with what was measured for the plan's shape."""
        return replace(self, computer=replace(self.computer, probe=probe))


@dataclass(frozen=True)
class Plan:
    """What a draft will take. Figures are None while a setting that decides them is wrong.

    Attributes:
        outcome: The planner's figures.
        error: What is wrong with a setting.
        repaired: The nearest settings without that error, where there are some.
        data: The text, as the planner sees it.
        around: What the figures were worked out with.
        index_bytes: Of the index, there or to be built; None without one.
        index_seconds: How long building it will take; None where it is there, or not wanted.
        index_is_built: Whether it is there.
        advice: What to know before the start.
    """

    outcome: planner.Plan | None = None
    error: SpecError | None = None
    repaired: Fix | None = None
    data: DataFacts | None = None
    around: planner.Surroundings = field(default_factory=planner.Surroundings)
    index_bytes: int | None = None
    index_seconds: float | None = None
    index_is_built: bool = False
    advice: tuple[Advice, ...] = ()

    @property
    def spec(self) -> TrainSpec | None:
        """The settings, once they are right."""
        return self.outcome.spec if self.outcome else None

    @property
    def parameters(self) -> int | None:
        """Of the model, embeddings and match input among them."""
        return self.outcome.parameters if self.outcome else None

    @property
    def training_tokens(self) -> int | None:
        """Tokens read in all."""
        return self.outcome.tokens if self.outcome else None

    @property
    def steps(self) -> int | None:
        """Optimizer steps."""
        return self.outcome.steps if self.outcome else None

    @property
    def passes(self) -> float | None:
        """How often the text is read."""
        return self.outcome.passes if self.outcome else None

    @property
    def estimate(self) -> TimeEstimate | None:
        """How long it will take."""
        return self.outcome.time if self.outcome else None

    @property
    def tokens_per_parameter(self) -> float | None:
        """Training tokens for each parameter."""
        return self.outcome.tokens_per_parameter if self.outcome else None

    @property
    def chinchilla_tokens(self) -> float | None:
        """Training tokens that are the best use of computing for this size."""
        return self.outcome.chinchilla_tokens if self.outcome else None

    @property
    def obstacle(self) -> str:
        """Why this plan cannot work, or an empty string."""
        if self.error is not None:
            name = setting_name(self.error.field)
            message = field_message(self.error)
            return f"{name}: {message}" if name else message
        blocking = self.blocking
        return blocking.title if blocking else ""

    @property
    def blocking(self) -> Advice | None:
        """The advice that says why this plan cannot work, or None."""
        return next((each for each in self.advice if each.level == "danger"), None)

    @property
    def fix(self) -> Fix | None:
        """The best way out of a plan that cannot work, or None."""
        if self.error is not None:
            return self.repaired
        blocking = self.blocking
        return blocking.fixes[0] if blocking and blocking.fixes else None

    def at_fault(self, path: str) -> str:
        """What is wrong with the setting at a path, in few words; empty where nothing is."""
        if self.error is not None:
            return field_message(self.error) if self.error.field == path else ""
        blocking = self.blocking
        return blocking.title if blocking and blocking.field == path else ""


def make_plan(draft: Draft, around: Surroundings) -> Plan:
    """Work out what a draft will take; a few milliseconds."""
    data = draft.data
    if data is None:
        return Plan(around=around.computer)
    built = data.index_state == "ready"
    build = _build_plan(draft, data, around) if draft.use_index and not built else None
    index_bytes = data.index_bytes if draft.use_index else None
    if build is not None:
        index_bytes = build.size_bytes
    index_seconds = build.seconds if build is not None else None
    plan = Plan(
        data=data_facts(data, index_bytes, index_seconds),
        around=around.computer,
        index_bytes=index_bytes,
        index_seconds=index_seconds,
        index_is_built=built,
    )
    try:
        if build is not None:
            make_index_spec(data.corpus, draft.build)
        spec = build_spec(draft)
    except SpecError as error:
        return replace(plan, error=error, repaired=_repair(draft, data, error))
    if plan.data is None:
        return plan
    outcome = planner.make_plan(spec, plan.data, around.computer)
    advice = (*outcome.advice, *_index_advice(plan, draft, data), _GOES_ON)
    return replace(plan, outcome=outcome, advice=advice)


def data_facts(
    data: DataChoice, index_bytes: int | None = None, index_seconds: float | None = None
) -> DataFacts:
    """The text as the planner sees it."""
    entropy = data.statistics.entropy if data.statistics is not None else None
    return DataFacts(
        train_tokens=data.train_tokens,
        validation_tokens=data.validation_tokens,
        text_bytes=data.text_bytes,
        unigram_entropy=entropy.unigram if entropy is not None else None,
        index_hit_rate=data.index_hit_rate,
        index_bytes=index_bytes,
        index_seconds=index_seconds,
        corpus=str(data.corpus),
        sources=max(len(data.sources), 1),
    )


def _repair(draft: Draft, data: DataChoice, error: SpecError) -> Fix | None:
    """The nearest settings that are right, where a setting of the training is to blame."""
    if "." not in error.field and error.field not in TrainSpec.__struct_fields__:
        return None
    longest = min(data.train_tokens, data.validation_tokens) - 1
    return repair(settings_of(draft, data), error, max(longest, 1))


def _build_plan(draft: Draft, data: DataChoice, around: Surroundings) -> BuildPlan:
    text = TextSize(
        data.train_tokens, data.validation_tokens, data.train_documents, data.vocab_size
    )
    free = around.computer.free_bytes
    return plan_build(text, around.builds, free, draft.build.n_threads)


_GOES_ON = Advice(
    "info",
    "Hearth keeps this computer awake.",
    "You may close the window; the training goes on.",
)


def _index_advice(plan: Plan, draft: Draft, data: DataChoice) -> list[Advice]:
    if not draft.use_index or data.index_state == "ready":
        return []
    if data.index_state == "building":
        return [
            Advice("info", "The index is being built.", "The training starts when it is ready.")
        ]
    about = ""
    if plan.index_seconds is not None:
        about = f"That takes about {rough_duration(plan.index_seconds)}. "
    return [
        Advice(
            "info",
            "The index is built first.",
            f"{about}The training follows by itself.",
        )
    ]
