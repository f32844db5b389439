#!/bin/sh
# Create the virtual environment of this project, or bring it up to date.
#
#   make_venv.sh VENV EXTRA CONSTRAINTS [PYTHON]
#
# VENV is created with PYTHON and gets the project with the optional dependencies EXTRA. Without PYTHON, an
# existing VENV is kept if it works, and python3 creates a new one. A VENV that does not work, or that another
# version of Python made, is rebuilt. The Python version is checked before anything is written.
set -eu

venv=$1 extra=$2 constraints=$3 python=${4:-}
needed_minor=11
stamp=$venv/installed-$extra

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

is_enough() {
    case $1 in
        3.*) [ "${1#3.}" -ge $needed_minor ] ;;
        *) return 1 ;;
    esac
}

present=$(version_of "$venv/bin/python")
if [ -n "$python" ] || ! is_enough "$present"; then
    python=${python:-python3}
    found=$(version_of "$python")
    if ! is_enough "$found"; then
        echo "Python 3.$needed_minor or newer is needed, but $python is ${found:-not installed}." >&2
        for minor in 14 13 12 11; do
            if is_enough "$(version_of python3.$minor)"; then
                echo "Run the same command with PYTHON=python3.$minor." >&2
                exit 1
            fi
        done
        echo "Install a newer Python, and run the same command with PYTHON=/path/to/its/python3." >&2
        exit 1
    fi
    if [ "$present" != "$found" ]; then
        [ ! -e "$venv" ] || echo "rebuilding $venv with Python $found (it was made by ${present:-a Python that is gone})"
        rm -rf "$venv"
        "$python" -m venv "$venv"
    fi
fi

if [ -n "$(find pyproject.toml "$constraints" -newer "$stamp" 2>/dev/null)" ] || [ ! -e "$stamp" ]; then
    # Compiling all modules takes a minute, and most of them are never imported; the others compile on import.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
        --constraint "$constraints" --editable ".[$extra]"
    touch "$stamp"
fi
