# Sourced by the other scripts from the top of the repository. Afterwards $python is that of the active virtual environment, or of
# .venv, with everything of requirements.lock and this project in it. Nothing is installed where nothing has changed.
# shellcheck shell=bash

environment=${VIRTUAL_ENV:-$PWD/.venv}
python=$environment/bin/python

if [ ! -x "$python" ]; then
  for base in python3 python3.13 python3.12 python3.11; do
    if "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi
    base=
  done
  if [ -z "$base" ]; then
    echo "error: no Python 3.11 or newer on PATH" >&2
    exit 2
  fi
  "$base" -m venv "$environment"
fi

stamp=$environment/chatops.stamp
wanted=$("$python" - "$PWD" requirements.lock pyproject.toml <<'PYTHON'
import hashlib, pathlib, sys
print(hashlib.sha256(b"\0".join([sys.argv[1].encode(), *(pathlib.Path(p).read_bytes() for p in sys.argv[2:])])).hexdigest())
PYTHON
)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
  pip=("$python" -m pip --disable-pip-version-check --quiet --quiet install)
  "${pip[@]}" --require-hashes --requirement requirements.lock
  "${pip[@]}" --no-deps --no-build-isolation --editable .
  echo "$wanted" >"$stamp"
fi
