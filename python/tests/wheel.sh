#!/bin/bash
# Installs a wheel into an environment of its own and uses it without a compiler.
#   python/tests/wheel.sh WHEEL
set -euo pipefail
wheel=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"
cd "$work"
mkdir empty
PATH=$work/empty "$work/venv/bin/python" - <<'PY'
import celsius
model = celsius.SAC("MlpPolicy", "Pendulum-v1", policy_kwargs={"net_arch": [16]}, seed=1).learn(300)
model.save("model")
again = celsius.SAC.load("model", env="Pendulum-v1").learn(100)
assert again.num_timesteps == 100
print("wheel:", celsius.__version__, celsius.evaluate_policy(again, again.get_env(), 2))
PY
"$work"/venv/lib/python3.*/site-packages/celsius/bin/celsius --version
