#!/usr/bin/env bash
# The Python packages that the jobs need, each by its hash, into /opt/customerlake. The package itself goes with each job.
# A cluster runs it on every node; for EMR Serverless it runs once, in a container (../README.md).
# Usage: bootstrap.sh FOLDER, which holds requirements.lock: s3://BUCKET/code, or a path
set -euo pipefail

folder=${1:?usage: bootstrap.sh FOLDER, which holds requirements.lock}
environment=/opt/customerlake

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

lock=$(mktemp)
trap 'rm -f "$lock"' EXIT
case $folder in
    s3://*) aws s3 cp --only-show-errors "$folder/requirements.lock" "$lock" ;;
    *) cp "$folder/requirements.lock" "$lock" ;;
esac
command -v python3.11 > /dev/null || as_root dnf install --assumeyes --quiet python3.11
as_root python3.11 -m venv --copies "$environment"
as_root "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
