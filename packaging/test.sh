#!/usr/bin/env bash
# Sets Hearth up with its development tools and runs every check and every test.
# Arguments go to pytest instead of the whole suite: bash packaging/test.sh tests/trainer_core -k index

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if [ "$(uname -s)" = Linux ]; then
    require_system "The tests" "$(
        missing_libraries "$BASE_LIBRARIES$WINDOW_LIBRARIES"
        missing_programs "$TEST_PROGRAMS"
    )"
fi
setup ".[dev]"
cd "$ROOT"
export PYTHONUNBUFFERED=1 PYTHONWARNINGS="${PYTHONWARNINGS:-}"

if [ $# -gt 0 ]; then
    export QT_QPA_PLATFORM="${QT_QPA_PLATFORM:-offscreen}"
    exec "$PYTHON" -m pytest "$@"
fi

say "format, lint, types, borders"
"$VENV/bin/ruff" format --check .
"$VENV/bin/ruff" check .
"$VENV/bin/mypy"
"$VENV/bin/lint-imports"

say "tests"
# Two at a time, a file on one of them; the long journeys come first. Each computes on one core.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
QT_QPA_PLATFORM=offscreen "$PYTHON" -m pytest -n 2 --dist loadfile --no-loadscope-reorder
