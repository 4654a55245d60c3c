"""What goes wrong with datasets, told as errors that a user can act on."""

from __future__ import annotations

from dataclasses import dataclass

from trainer_core.data.sources.fetching import is_of_the_network
from trainer_core.errors import DataError, DiskFullError, from_os_error

_WORDS_KEPT = 300
_PARQUET_BRANCH = "refs/convert/parquet"
_NOTHING_WRITTEN = "Nothing was written."


@dataclass(frozen=True)
class Failures:
    """What went wrong with a dataset, as an error for the user.

    Attributes:
        label: The dataset, for people.
        field: Path of its settings.
    """

    label: str
    field: str

    def error(
        self, why: str, do: str, setting: str = "", safe: str = _NOTHING_WRITTEN
    ) -> DataError:
        """The error, with the path of the setting at fault."""
        return DataError(
            f"The dataset {self.label} cannot be read: {why}.",
            safe=safe,
            do=do,
            field=f"{self.field}.{setting}" if setting else self.field,
        )

    def error_of(
        self, error: Exception, setting: str, safe: str = _NOTHING_WRITTEN
    ) -> DataError | DiskFullError:
        """The error behind what the library raised.

        Args:
            error: What it raised.
            setting: The setting that is likeliest at fault.
            safe: What is unharmed.
        """
        if isinstance(error, OSError):
            known = from_os_error(error, f"reading the dataset {self.label}")
            if isinstance(known, DiskFullError):
                return known
        words = " ".join(str(error.__cause__ or error).split())[:_WORDS_KEPT].rstrip(".")
        why = words or type(error).__name__
        if isinstance(error, ConnectionError) or is_of_the_network(error):
            why = f"the Hub cannot be reached ({why})"
            return self.error(why, "Connect to the internet, then start this again.", setting, safe)
        if "scripts are no longer supported" in why:
            do = f"Set its revision to {_PARQUET_BRANCH}, where the Hub keeps a copy as tables."
            return self.error(why, do, "revision", safe)
        for words, its_setting, do in _NAMED:
            if words in str(error):
                return self.error(why, do, its_setting, safe)
        return self.error(why, "Check its name, subset, split and revision.", setting, safe)


# What the library says where a name is wrong; it names what there is, where it knows.
_NAMED = (
    (
        "gated dataset",
        "repo",
        "Ask for access on its page, then log in: `hf auth login`.",
    ),
    ("Revision ", "revision", "Name a branch, tag or commit of it, or leave the revision empty."),
    ("BuilderConfig ", "subset", "Choose one of its subsets."),
    ("Config name is missing", "subset", "Choose one of its subsets."),
    ("it has no split", "split", "Choose one of its splits."),
    ("Bad split", "split", "Choose one of its splits."),
    ("Unknown split", "split", "Choose one of its splits."),
    (
        "doesn't exist on the Hub",
        "repo",
        "Check the name; a private or gated dataset needs `hf auth login` first.",
    ),
)


def raised_by_the_library() -> tuple[type[Exception], ...]:
    """What `datasets` raises for bad names, bad data and bad networks."""
    import pyarrow
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of its HTTP client

    usual = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError)
    return (*usual, DatasetsError, HTTPError, pyarrow.ArrowException)
