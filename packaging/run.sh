#!/usr/bin/env bash
# Sets Hearth up in .venv, where that is not done yet, and opens the studio.
# Without a display it takes the tour in the terminal. Arguments go to the studio, or to the tour.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

has_display() {
    [ "$(uname -s)" = Darwin ] || [ -n "${DISPLAY:-}" ] || [ -n "${WAYLAND_DISPLAY:-}" ]
}

if [ "$(uname -s)" = Linux ] && has_display; then
    require_system "The studio's window" "$(missing_libraries "$BASE_LIBRARIES$WINDOW_LIBRARIES")"
fi
setup "."

if has_display; then
    exec "$PYTHON" -m studio "$@"
fi
say "there is no display here, so this is the tour in the terminal"
say "(on a computer with a screen the same command opens the studio)"
exec "$PYTHON" -m trainer_core tour "$@"
