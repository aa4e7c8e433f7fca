"""Run pipelines in a folder: no cloud, no account, no Pulumi, and the same runtime, protocol and keys.

A folder is a bucket. The creation of a manifest is the event, alarms are a heap in the process, a worker thread is a function.
What a cloud's services do for the protocols is here in small parts::

    provider     the record: what this provider can do
    place        the folders of a placement, and its secrets
    landing      files that arrive, found by listing; dropping puts one in
    timing       clocks, and alarms in the order of their times
    liveness     whose claims are dead, without waiting for a lease
    announcing   the manifest bucket, in which creating is announcing
    pool         the threads that deliveries run on
    engine       deliveries and alarms, repeated when they fail; workers runs their workloads
    recovery     what a dead process had in memory, derived from storage again
    watch        the operating system's hints that a folder changed; hearing listens to other pipelines in the same lake
    watching     the loop that stays
    entrypoint   :class:`LocalRunner`, which puts them together; ``cls local`` is a thin shell around it
"""

from clusterless.providers.local.entrypoint import LocalRunner, Report
from clusterless.providers.local.timing import ReplayClock

__all__ = ["LocalRunner", "ReplayClock", "Report"]
