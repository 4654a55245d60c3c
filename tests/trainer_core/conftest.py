"""What several tests of the trainer need."""

import pytest


@pytest.fixture
def resumable(monkeypatch):
    """Have even the shortest index builds note their steps."""
    from trainer_core.index.building import assembly

    monkeypatch.setattr(assembly, "RESUMABLE_TOKENS", 0)
