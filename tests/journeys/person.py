"""Somebody before the screen: looks for words, points at them, types; nothing else."""

import subprocess
import sys
import time
from pathlib import Path

EYES = Path(__file__).with_name("studio_with_eyes.py")


class Person:
    """Somebody before the screen: looks for words, points at them, types."""

    def __init__(self, desktop):
        self.desktop = desktop
        desktop.studio = subprocess.Popen(
            [sys.executable, str(EYES)],
            env=desktop.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        desktop.window = desktop.wait_for_window()

    def look_for(self, words, seconds=10.0):
        """Where they stand, once they can be seen: x and y in pixels of the screen."""
        deadline = time.monotonic() + seconds
        while not (place := self.glance(words)):
            assert self.desktop.studio.poll() is None, "the studio ended by itself"
            assert time.monotonic() < deadline, f"waited {seconds} s to see {words!r}"
            time.sleep(0.1)
        return place

    def glance(self, words):
        """Where they stand now, if anywhere."""
        print(words, file=self.desktop.studio.stdin, flush=True)
        return self.desktop.studio.stdout.readline().split()

    def focused(self):
        """The name of what has the keyboard."""
        print("?", file=self.desktop.studio.stdin, flush=True)
        return self.desktop.studio.stdout.readline().strip()

    def tab_to(self, name, at_most=80):
        """Go on with Tab until something of this name has the keyboard."""
        for _ in range(at_most):
            if self.focused() == name or self.focused().startswith(f"{name}, "):
                return
            self.press("Tab")
        raise AssertionError(f"Tab does not lead to {name!r}")

    def press(self, *keys):
        self.desktop.xdotool("key", "--clearmodifiers", *keys)

    def click(self, words, seconds=10.0):
        self.desktop.xdotool("mousemove", *self.look_for(words, seconds), "click", "1")

    def type(self, text):
        self.desktop.xdotool("type", "--delay", "4", str(text))

    def choose(self, button, path, answer):
        """Name a path in the dialog behind a button, and give the answer."""
        self.click(button)
        dialog = self.desktop.xdotool("search", "--sync", "--onlyvisible", "--name", "^Add data$")
        self.desktop.xdotool("windowfocus", "--sync", dialog)
        self.type(path)
        self.click(answer)  # closes the completions
        time.sleep(0.3)
        if self.glance(answer):
            self.click(answer)
        self.look_for(str(path))

    def point_at_field(self, name):
        """Click a field and mark what stands in it, to type over it."""
        self.click(name)
        self.desktop.xdotool("key", "ctrl+a")


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return found
