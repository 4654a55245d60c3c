"""From one end - time, size or text - to a whole plan. Free of Qt."""

from __future__ import annotations

from dataclasses import replace

from studio.pages.wizard.draft import Draft, Fixed
from studio.pages.wizard.plan import Plan
from studio.planner import Solver, loss_model

_FOLLOWS_STEPS = frozenset(
    {"optimizer.warmup_steps", "evaluation.every_steps", "checkpoint.every_steps"}
)
"""What a draft works out by itself from its steps."""


def released(draft: Draft, before: Draft) -> Draft:
    """A changed draft whose end is no longer fixed, where size or budget were changed by hand."""
    same_end = (draft.fixed, draft.fixed_value) == (before.fixed, before.fixed_value)
    if not draft.fixed or not same_end:
        return draft
    mine, other = (_size_and_budget(each) for each in (draft, before))
    return draft if mine == other else replace(draft, fixed="", fixed_value=0.0)


def _size_and_budget(draft: Draft) -> tuple[object, ...]:
    return (draft.n_layer, draft.n_embd, draft.training_tokens)


def draft_for_end(draft: Draft, plan: Plan, fixed: Fixed, value: float) -> Draft:
    """The draft with a size and a budget that follow from a fixed end.

    Args:
        draft: Gives everything else.
        plan: Its figures; its settings must be right.
        fixed: Which end.
        value: Its hours, parameters or tokens.

    Raises:
        ValueError: Nothing follows, since a setting is wrong, or the value is no number above 0.
    """
    if plan.spec is None or plan.data is None:
        raise ValueError(plan.obstacle or "Choose data first.")
    solver = Solver(plan.spec, plan.data, plan.around, loss_model(plan.around))
    match fixed:
        case "hours":
            solution = solver.hours(value)
        case "parameters":
            solution = solver.parameters(value)
        case "tokens":
            solution = solver.tokens(value)
        case _:
            return replace(draft, fixed="", fixed_value=0.0)
    values = {path: v for path, v in solution.values.items() if path not in _FOLLOWS_STEPS}
    made = draft.with_values(values)
    named = draft.has_suggested_name
    made = replace(made, fixed=fixed, fixed_value=value, goal="")
    return replace(made, name=made.suggested_name()) if named else made
