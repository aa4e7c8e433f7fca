#!/bin/sh
# Writes the lock files: every package, exactly, with the hashes of all its files, for Linux and macOS and each Python from 3.11 on.
# The widest set is resolved first and constrains the others, so that no package has two versions. Run it as `make lock`;
# `make lock UPGRADE=--upgrade` moves to the newest versions that pyproject.toml allows.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-uv}

compile() { # compile NAME OPTION... : writes requirements/NAME.txt
    name=$1
    shift
    "$uv" pip compile pyproject.toml "$@" --group build --universal --python-version 3.11 --generate-hashes --no-emit-package clusterless \
        --no-annotate --no-header --no-emit-index-url --no-emit-find-links --no-emit-options --quiet -o "requirements/$name.txt" >/dev/null
}

# Emulators and what runs beside them are no part of any environment of ours: they pin packages that we use in other versions.
apart() { # apart NAME REQUIREMENT... : writes requirements/NAME.txt
    name=$1
    shift
    printf '%s\n' "$@" | "$uv" pip compile - ${UPGRADE:-} --universal --python-version 3.11 --generate-hashes \
        --no-annotate --no-header --no-emit-index-url --no-emit-find-links --no-emit-options --quiet -o "requirements/$name.txt" >/dev/null
}

apart emulators ministack==1.5.33
apart ric awslambdaric==4.2.2

compile bench --extra bench --extra dev ${UPGRADE:-}
for name in dev local; do
    rm -f "requirements/$name.txt"
    compile "$name" --extra "$name" --constraint requirements/bench.txt
done
