#!/usr/bin/env bash
# A fast selection of the tests on another Python, or with other pins: `other_python.sh 3.13 [constraints-min.txt]`.
# Where that Python is not on the machine it says so, and passes.
# torch is left out: of other versions there are only builds that bring gigabytes of drivers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$1 pins=${2:-constraints.txt}
python=python$version
if ! "$python" -c 'import sys' 2>/dev/null; then
  # A version manager may hold the interpreter without putting it on the path.
  python=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python 2>/dev/null | tail -n 1 || true)
fi
if [[ -z $python ]]; then
  echo "skipped: there is no python$version here"
  exit 0
fi

venv=.venv-$version-${pins%.txt}
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$pins" \
  --editable '.[io,report]' pytest pytest-xdist hypothesis jsonschema
"$venv/bin/python" -c 'import sys, numpy, scipy, pandas, sklearn, sympy; print("Python", sys.version.split()[0], *(
    f"{m.__name__} {m.__version__}" for m in (numpy, scipy, pandas, sklearn, sympy)), sep=", ")'
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
"$venv/bin/erlangen" demo >/dev/null
"$venv/bin/python" -m pytest -q -n "${WORKERS:-2}" -p no:cacheprovider \
  tests/actions tests/derivative tests/fields tests/io tests/linalg tests/systems \
  tests/verbs/test_discover.py tests/cli/test_command_line.py tests/test_formula.py tests/test_exports.py \
  tests/test_render.py tests/test_trajectories.py
