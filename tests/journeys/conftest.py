"""A real window for a journey: Xvfb, a window manager, the studio as its own process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from trainer_core.protocol import read_owner

NEEDED = ("Xvfb", "xdotool", "openbox", "xwininfo")


class Desktop:
    """A screen of 1440×900 with the studio on it, driven by keys and looked at by pixels."""

    def __init__(self, display, home):
        self.environment = {
            **os.environ,
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "HEARTH_HOME": str(home),
        }
        self.environment.pop("WAYLAND_DISPLAY", None)
        self.home = home
        self.studio = None

    def start_studio(self, *arguments):
        """Start it and wait until a page is shown; returns its own start-up figures."""
        self.studio = subprocess.Popen(
            [sys.executable, "-m", "studio", "--report", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.window = self.wait_for_window()
        return json.loads(self.studio.stdout.readline())

    def wait_for_window(self, seconds=30.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.studio.poll() is None, "the studio ended by itself"
            found = self.xdotool("search", "--onlyvisible", "--name", "Hearth", check=False)
            if found:
                return found.split()[-1]
            time.sleep(0.1)
        raise AssertionError("no window appeared")

    def xdotool(self, *arguments, check=True):
        done = subprocess.run(
            ["xdotool", *arguments], env=self.environment, capture_output=True, text=True
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def key(self, *keys):
        self.xdotool("windowfocus", "--sync", self.window)
        self.xdotool("key", "--clearmodifiers", *keys)

    def close_studio(self, seconds=20.0):
        self.key("alt+F4")
        return self.studio.wait(seconds)

    def kill_studio(self):
        if self.studio is not None and self.studio.poll() is None:
            self.studio.kill()
            self.studio.wait()
        if self.studio is not None:
            self.studio.stdout.close()


@pytest.fixture(scope="session")
def display():
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs the programs {', '.join(missing)}; packaging/test.sh installs them")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1440x900x24", "-nolisten", "tcp"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    assert number, "Xvfb did not start"
    name = f":{number}"
    manager = subprocess.Popen(
        ["openbox"], env={**os.environ, "DISPLAY": name}, stderr=subprocess.DEVNULL
    )
    yield name
    manager.terminate()
    server.terminate()
    manager.wait()
    server.wait()


@pytest.fixture
def desktop(display, private_home):
    desktop = Desktop(display, private_home)
    yield desktop
    desktop.kill_studio()
    for path in private_home.rglob("owner.json"):  # jobs outlive the studio, not the test
        owner = read_owner(path.parent)
        if owner is not None and owner.alive:
            os.kill(owner.pid, signal.SIGKILL)
