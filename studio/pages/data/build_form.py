"""The settings of an index build as they are typed, and the spec that follows. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from studio.pages.typed import parse, parse_size
from trainer_core import spec as specs
from trainer_core.spec import IndexSpec

DEFAULTS = IndexSpec(corpus="-")


@dataclass(frozen=True)
class BuildForm:
    """What was typed under "Advanced"; an empty text leaves the default."""

    max_length: str = ""
    """Longest match in tokens."""
    memory_limit_bytes: str = ""
    """Such as `4 GB`."""
    threads: str = ""

    @property
    def is_untouched(self) -> bool:
        """Whether every setting is left at its default."""
        return not any(getattr(self, each.name).strip() for each in fields(self))

    @property
    def n_threads(self) -> int:
        """Threads asked for; 0 for one to each core."""
        wanted = parse(self.threads)
        return wanted if isinstance(wanted, int) and wanted > 0 else 0


BUILD_FIELDS = tuple(each.name for each in fields(BuildForm))


def make_index_spec(corpus: Path, form: BuildForm) -> IndexSpec:
    """The spec behind a form.

    Raises:
        SpecError: A setting is wrong; the error has its path.
    """
    typed: dict[str, object] = {
        "max_length": parse(form.max_length),
        "memory_limit_bytes": parse_size(form.memory_limit_bytes),
        "threads": parse(form.threads),
    }
    given = {name: value for name, value in typed.items() if getattr(form, name).strip()}
    data = {"verb": "index", "corpus": str(corpus), **given}
    spec: IndexSpec = specs.convert(data, IndexSpec, "the index")
    return spec
