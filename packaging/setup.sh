# Set-up shared by run.sh and test.sh: system libraries, .venv, the torch build that fits.
# Sourced, not run. Sets ROOT and PYTHON; ends the script with a clear message when it cannot go on.

set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
PYTHON="$VENV/bin/python"
TORCH_VERSION="2.13.0"
# The page where PyTorch lists its CPU wheels; asked only where pip's own sources have none.
TORCH_WHEELS="https://download.pytorch.org/whl/torch/"

say() { printf 'hearth: %s\n' "$*" >&2; }

die() {
    say "$1"
    shift
    local line
    for line in "$@"; do printf '        %s\n' "$line" >&2; done
    exit 1
}

# --- system packages -------------------------------------------------------------------------

# soname|Debian and Ubuntu|Fedora|Arch|openSUSE
BASE_LIBRARIES="
libglib-2.0.so.0|libglib2.0-0|glib2|glib2|libglib-2_0-0
libGL.so.1|libgl1|mesa-libGL|libglvnd|libglvnd
libEGL.so.1|libegl1|mesa-libEGL|libglvnd|libglvnd
libxkbcommon.so.0|libxkbcommon0|libxkbcommon|libxkbcommon|libxkbcommon0
libfontconfig.so.1|libfontconfig1|fontconfig|fontconfig|fontconfig
libfreetype.so.6|libfreetype6|freetype|freetype2|libfreetype6
libdbus-1.so.3|libdbus-1-3|dbus-libs|dbus|libdbus-1-3
libbrotlidec.so.1|libbrotli1|libbrotli|brotli|libbrotlidec1
"
WINDOW_LIBRARIES="
libxcb-cursor.so.0|libxcb-cursor0|xcb-util-cursor|xcb-util-cursor|libxcb-cursor0
libxcb-icccm.so.4|libxcb-icccm4|xcb-util-wm|xcb-util-wm|libxcb-icccm4
libxcb-image.so.0|libxcb-image0|xcb-util-image|xcb-util-image|libxcb-image0
libxcb-keysyms.so.1|libxcb-keysyms1|xcb-util-keysyms|xcb-util-keysyms|libxcb-keysyms1
libxcb-randr.so.0|libxcb-randr0|libxcb|libxcb|libxcb-randr0
libxcb-render-util.so.0|libxcb-render-util0|xcb-util-renderutil|xcb-util-renderutil|libxcb-render-util0
libxcb-shape.so.0|libxcb-shape0|libxcb|libxcb|libxcb-shape0
libxcb-sync.so.1|libxcb-sync1|libxcb|libxcb|libxcb-sync1
libxcb-xfixes.so.0|libxcb-xfixes0|libxcb|libxcb|libxcb-xfixes0
libxcb-xkb.so.1|libxcb-xkb1|libxcb|libxcb|libxcb-xkb1
libxkbcommon-x11.so.0|libxkbcommon-x11-0|libxkbcommon-x11|libxkbcommon-x11|libxkbcommon-x11-0
libX11-xcb.so.1|libx11-xcb1|libX11-xcb|libx11|libX11-xcb1
"
# command|Debian and Ubuntu|Fedora|Arch|openSUSE
TEST_PROGRAMS="
Xvfb|xvfb|xorg-x11-server-Xvfb|xorg-server-xvfb|xorg-x11-server-Xvfb
xdotool|xdotool|xdotool|xdotool|xdotool
openbox|openbox|openbox|openbox|openbox
xwininfo|x11-utils|xwininfo|xorg-xwininfo|xwininfo
"

os_release() { (. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-}" "${ID_LIKE:-}"); }

# The column of the tables above and the install command of this distribution.
distribution() {
    case " $(os_release) " in
        *" debian "* | *" ubuntu "*) echo "2|apt-get install -y" ;;
        *" fedora "* | *" rhel "*) echo "3|dnf install -y" ;;
        *" arch "*) echo "4|pacman -S --needed" ;;
        *" suse "* | *" opensuse "* | *" opensuse-tumbleweed "*) echo "5|zypper install -y" ;;
        *) echo "2|" ;;
    esac
}

missing_libraries() { # table → rows whose library the loader cannot find
    local known row
    known="$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true)"
    [ -n "$known" ] || return 0 # no loader cache to ask (musl, Nix): Qt will name what it misses
    for row in $1; do
        case "$known" in *"${row%%|*} "*) ;; *) echo "$row" ;; esac
    done
}

missing_programs() {
    local row
    for row in $1; do command -v "${row%%|*}" >/dev/null 2>&1 || echo "$row"; done
}

install_system_packages() { # packages, space separated
    say "installing system packages: $1"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2 &&
        # shellcheck disable=SC2086
        apt-get install -y -qq $1 >&2 ||
        die "The system packages could not be installed." "Run: apt-get update && apt-get install -y $1"
}

# Make sure of some rows of the tables, or say exactly what to type.
require_system() { # what they are for, rows
    [ -n "$2" ] || return 0
    local where column command packages
    where="$(distribution)"
    column="${where%%|*}"
    command="${where#*|}"
    packages="$(printf '%s\n' "$2" | cut -d'|' -f"$column" | sed '/^$/d' | sort -u | tr '\n' ' ')"
    packages="${packages% }"
    if [ "$command" = "apt-get install -y" ] && [ "$(id -u)" = 0 ] && [ ! -t 0 ]; then
        install_system_packages "$packages"
        return 0
    fi
    local line="Install what Debian calls:  $packages"
    if [ -n "$command" ]; then line="Install them with:  sudo $command $packages"; fi
    die "$1 needs system packages that are not installed. Nothing was changed." \
        "$line" "Then run this again."
}

# --- Python ----------------------------------------------------------------------------------

find_python() {
    local candidate
    for candidate in "${HEARTH_PYTHON:-}" python3.13 python3.12 python3.11 python3 python3.14; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

require_python() {
    BASE_PYTHON="$(find_python)" || die "Hearth needs Python 3.11 or newer, and none was found." \
        "Debian or Ubuntu:  sudo apt-get install -y python3 python3-venv" \
        "Fedora:            sudo dnf install -y python3.12" \
        "Or name one:       HEARTH_PYTHON=/path/to/python3.12 bash packaging/run.sh"
    if ! "$BASE_PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        local version
        version="$("$BASE_PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
        require_system "Python $version" "venv|python$version-venv|python3-libs|python|python3"
    fi
}

# --- the installation ------------------------------------------------------------------------

fingerprint() { # what an installation is made from; another print means: install again
    cat "$ROOT/pyproject.toml" "$ROOT/packaging/constraints.txt" "$ROOT/packaging/setup.sh" |
        cksum | tr -d ' '
    echo "$1 ${HEARTH_TORCH:-auto}"
}

has_nvidia() { command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; }

pip_install() { "$PYTHON" -m pip install --quiet --disable-pip-version-check "$@" >&2; }

wanted_torch() {
    case "${HEARTH_TORCH:-auto}" in
        cpu | cuda) echo "$HEARTH_TORCH" ;;
        auto) if has_nvidia; then echo cuda; else echo cpu; fi ;;
        *) die "HEARTH_TORCH is '$HEARTH_TORCH'." "Use auto, cpu or cuda." ;;
    esac
}

torch_state() { # cuda, cpu, or none
    "$PYTHON" - <<'PY' 2>/dev/null || echo none
import torch
print("cuda" if torch.version.cuda or getattr(torch.version, "hip", None) else "cpu")
PY
}

install_torch() {
    local wanted have
    wanted="$(wanted_torch)"
    have="$(torch_state)"
    if [ "$have" = "$wanted" ]; then return 0; fi
    if [ "$have" != none ]; then "$PYTHON" -m pip uninstall --quiet -y torch >&2; fi
    if [ "$wanted" = cpu ] && [ "$(uname -s)" = Linux ]; then
        say "installing PyTorch for the CPU (no NVIDIA driver answers)"
        # The local label matches CPU wheels alone, so that no gigabytes of CUDA are fetched.
        pip_install "torch==$TORCH_VERSION+cpu" 2>/dev/null ||
            pip_install --find-links "$TORCH_WHEELS" "torch==$TORCH_VERSION+cpu" ||
            die "PyTorch could not be installed." "Check the network and the disk, then run this again."
    else
        say "installing PyTorch (${wanted})"
        pip_install "torch==$TORCH_VERSION" ||
            die "PyTorch could not be installed." "Check the network and the disk, then run this again."
    fi
    if [ "$wanted" = cuda ] && [ "$(torch_state)" != cuda ]; then
        die "This computer has an NVIDIA GPU, but pip's sources gave a PyTorch for the CPU." \
            "Training would be some 50 times slower, so nothing was started." \
            "Let pip reach PyPI's CUDA build of torch $TORCH_VERSION, or accept the CPU:" \
            "HEARTH_TORCH=cpu bash packaging/run.sh"
    fi
}

check_imports() {
    "$PYTHON" - <<'PY' 2>/dev/null
import alembic, filelock, msgspec, numba, numpy, platformdirs, psutil, pynvml, pyqtgraph, rich
import safetensors, sqlalchemy, tiktoken, tokenizers, tomli_w, torch
import inscriptis, lxml, pyarrow
import PySide6.QtCore, studio, trainer_core
from importlib.util import find_spec
if find_spec("datasets") is None:  # looked for only: importing it takes seconds
    raise ImportError("datasets")
PY
}

install_all() { # what to install, "." or ".[dev]"
    if ! "$PYTHON" -m pip --version >/dev/null 2>&1; then
        rm -rf "$VENV"
        "$BASE_PYTHON" -m venv "$VENV" || die "The environment .venv could not be made." \
            "Check that there is room on the disk, then run this again."
    fi
    install_torch
    say "installing Hearth and what it needs (some minutes the first time)"
    (cd "$ROOT" && pip_install --constraint packaging/constraints.txt --editable "$1") ||
        die "The installation did not finish. What was downloaded is kept." \
            "Check the network and the disk, then run this again."
}

setup() { # what to install, "." or ".[dev]"
    local mark="$VENV/hearth-installed" print
    print="$(fingerprint "$1")"
    # An installation for tests is good enough for running the app.
    if [ -f "$mark" ] && [ -x "$PYTHON" ]; then
        case "$(cat "$mark")" in "$print" | "$(fingerprint ".[dev]")") return 0 ;; esac
    fi
    require_python
    rm -f "$mark"
    install_all "$1"
    if ! check_imports; then
        say "the environment is damaged; making it anew"
        rm -rf "$VENV"
        install_all "$1"
        check_imports || "$PYTHON" -c 'import studio.app, torch' ||
            die "Hearth is installed but does not start; the lines above say why."
    fi
    printf '%s\n' "$print" >"$mark.part"
    mv "$mark.part" "$mark"
}
