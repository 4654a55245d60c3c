"""The plan that the wizard begins with, and the text that a recipe was done on. Free of Qt."""

from __future__ import annotations

from dataclasses import replace

from studio.pages.data.adding.source_form import source_form
from studio.pages.data.request import AddForm
from studio.pages.wizard.draft import Draft
from studio.pages.wizard.plan import CHINCHILLA_TOKENS_PER_PARAMETER, make_plan
from studio.pages.wizard.shelf import Shelf
from studio.pages.wizard.target import WizardTarget
from trainer_core.known_datasets import KNOWN_DATASETS


def first_draft(shelf: Shelf, target: WizardTarget) -> Draft:
    """A plan that works, from the dataset asked for or the newest one."""
    data = next((c for c in shelf.choices if c.id == target.dataset_id), None)
    data = data or (shelf.choices[0] if shelf.choices else None)
    project = target.project_id
    if project is None and shelf.projects:
        project = shelf.projects[0].id
    draft = Draft(data=data, project_id=project).with_preset("tour")
    draft = replace(draft, name=draft.suggested_name())
    parameters = make_plan(draft, shelf.around).parameters
    if parameters and data is not None:
        best = CHINCHILLA_TOKENS_PER_PARAMETER * parameters
        draft = draft.with_tokens(min(best, 2.0 * data.train_tokens))
    return draft


def known_text(title: str) -> AddForm | str:
    """What "Add data" is opened with for a known dataset, by its title."""
    known = next((each for each in KNOWN_DATASETS if each.title == title), None)
    return AddForm(sources=(source_form(known.source),)) if known is not None else "add"
