"""The wizard: from a dataset to a running training, with its plan always in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.pages.wizard.page import WizardPage

__all__ = ["WizardPage"]


def __getattr__(name: str) -> object:
    """The page is imported when it is opened: other pages use the modules that are free of Qt."""
    if name == "WizardPage":
        from studio.pages.wizard.page import WizardPage

        return WizardPage
    raise AttributeError(name)
