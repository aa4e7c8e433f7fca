"""AWS: S3, EventBridge, Lambda, Scheduler, Batch.

Three halves, which import one another as little as they can:

* inside functions (standard library, obstore, :mod:`clusterless.runtime`): ``entrypoint`` turns native events into calls of the
  protocols; ``place``, ``alarms``, ``secrets`` and ``jobs`` are its seams, ``signing`` their way to the services, ``telemetry``
  what it says; ``config`` is what it is configured with.
* at deployment (pulumi): ``bootstrap``, ``boundaries``, ``arcs``, ``resources`` are components, ``iam`` their policies,
  ``package`` the archives, ``provision`` all of a pipeline.
* from the outside (boto3): ``provider`` is the record, ``control`` reaches what runs.
"""
