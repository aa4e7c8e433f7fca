"""Run pipelines in a folder: no cloud, no account, no Pulumi, and the same runtime, protocol and keys.

A folder is a bucket. The creation of a manifest is the event, alarms are a heap in the process, a worker thread is a function.
What a cloud's services do for the protocols is here in five small parts: :mod:`place` (the folders), :mod:`landing` (files that
arrive), :mod:`liveness` (whose claims are dead), :mod:`timing` (clocks and alarms), :mod:`engine` (deliveries, retried).
:class:`LocalRunner` puts them together; ``cls local`` is a thin shell around it.
"""

from clusterless.providers.local.entrypoint import LocalRunner, Report
from clusterless.providers.local.timing import ReplayClock

__all__ = ["LocalRunner", "ReplayClock", "Report"]
