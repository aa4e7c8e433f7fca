"""Builds the engine that the tests of deployments run on: ``pulumi`` and its YAML language host, from modules pinned by go.sum.

``make engine`` runs this with any Python; the tests ask :func:`folder` where it is. The binaries are kept in the user's cache, by
what they are made of: clones on one machine share them, and `make clean` does not cost minutes. Where a ``pulumi`` is on the PATH
that is used and nothing is built; where Go is missing too, one line says so and tests that need the engine are skipped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PULUMI = "github.com/pulumi/pulumi"
COMMANDS = (f"{PULUMI}/pkg/v3/cmd/pulumi", "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml")
WAY = ("-trimpath", "-tags", "osusergo grpcnotrace")


def cache() -> Path:
    """Where this machine's user keeps what takes long to build."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clusterless"


def folder() -> Path:
    """The folder of the binaries, whether they are built or not: one for each set of pinned sources and way to build them."""
    made_of = b"".join((HERE / name).read_bytes() for name in ("go.mod", "go.sum")) + repr(WAY).encode()
    return cache() / "engine" / hashlib.sha256(made_of).hexdigest()[:16]


def pulumi() -> Path | None:
    """The engine to use: one on the PATH, else the one built here; None where there is neither."""
    on_path = shutil.which("pulumi")
    built = folder() / "pulumi"
    return Path(on_path) if on_path else built if built.is_file() else None


def main() -> int:
    if found := pulumi():
        print(f"engine: {found}")
        return 0
    go = shutil.which("go")
    if go is None:
        print("engine: neither pulumi nor go is on the PATH; tests that need the engine will be skipped")
        return 0
    began = time.monotonic()
    print("engine: building it from source, once on this machine (about five minutes) ...", flush=True)
    try:
        build(go)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"engine: not built: {error}", file=sys.stderr)
        return 1
    print(f"engine: {pulumi()}, built in {time.monotonic() - began:.0f} s")
    return 0


def build(go: str) -> None:
    """Build in a folder of its own and put the result in place whole: what is there is finished, whoever builds meanwhile."""
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as work:
        # Modules and objects take 3 GB and are never needed again: in here they go away with the rest.
        environment = os.environ | {
            "CGO_ENABLED": "0",
            "GOCACHE": f"{work}/objects",
            "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
            "GOMODCACHE": f"{work}/modules",
            "GOTOOLCHAIN": "local",
        }

        def run(*arguments: str) -> str:
            return subprocess.run(
                [go, *arguments], cwd=HERE, env=environment, check=True, stdout=subprocess.PIPE, text=True
            ).stdout

        version = run("list", "-m", "-f", "{{.Version}}", f"{PULUMI}/pkg/v3").strip()
        # Without a version the Automation API refuses the binary.
        flags = f"-s -w -X {PULUMI}/sdk/v3/go/common/version.Version={version}"
        made = Path(work, "bin")
        made.mkdir()
        run("build", *WAY, "-ldflags", flags, "-o", f"{made}/", *COMMANDS)
        try:
            made.rename(target)
        except OSError:
            if not (target / "pulumi").is_file():  # not the other builder's work: a real error
                raise


if __name__ == "__main__":
    sys.exit(main())
