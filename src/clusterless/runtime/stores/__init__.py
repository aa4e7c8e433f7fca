"""The stores: one file per kind of storage, all behind :class:`clusterless.runtime.store.Store`.

* :mod:`memory`: a dictionary; what tests and the simulation stand on.
* :mod:`folder`: a folder is a bucket. :mod:`disk` holds its dealings with the operating system, :mod:`walk` its listing,
  :mod:`probe` the questions a disk is asked before anything is trusted to it.
* :mod:`objects`: S3, GCS and Blob through obstore, with :mod:`streams` for what does not fit in memory.

What may not live here: any knowledge of what a key means. Nothing is imported until it is used, so a function archive may
leave out what its placement does not need.
"""
