"""The process a subject runs in: ``python -m benchmarks.child module:function '{"argument": …}'``.

The last line it prints is JSON. A process of its own, so that memory and start-up are the subject's alone. What the subject
returns is passed on; ``seconds`` in it is the time that counts, where preparing comes first.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import import_module


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    function = getattr(import_module(module), name)
    began = time.perf_counter()
    told = function(**json.loads(sys.argv[2])) or {}
    told.setdefault("seconds", time.perf_counter() - began)
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    told["cpu"] = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    told["peak_mib"] = peak_mib()
    print("\n" + json.dumps(told))


def peak_mib() -> float:
    """Most memory this process ever held, MiB. ``ru_maxrss`` would count what its parent held when it forked."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
