"""What every test has: no screen, no real home, no network, few threads."""

import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "2")

import pytest
from hypothesis import settings

# A busy computer is no reason for a property to fail.
settings.register_profile("hearth", deadline=None)
settings.load_profile("hearth")

SHARED_DATA = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory, monkeypatch):
    """A Hearth home of the test's own, so that no test ever touches the user's projects."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HEARTH_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def shared_data():
    """The folder with real texts; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the folder ../shared/data, which an ordinary clone does not have")
    return SHARED_DATA
