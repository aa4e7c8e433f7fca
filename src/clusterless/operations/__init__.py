"""What a person asks about pipelines, answered from storage: functions over stores.

Every function here gets the stores it reads handed in, from whoever knows the provider; nothing here imports one. Records and
steps are frozen data, and whatever shows them (a table, JSON, a test) sees the same data::

    ranges      [earliest, latest) as people write it → a span of lots
    records     the rows of reports, with the predecessor's columns
    register    a pipeline → its descriptive records in the metadata bucket
    catalog     who produces a dataset: the pipelines at hand, then what is registered
    inventory   placements, projects, datasets, boundaries, arcs
    scan        one listing → the lots of a dataset or an arc, as a stream
    status      scans → summaries and lists; upstream tells a lot that is owed from one in which nothing arrived
    plan        a pipeline → the typed steps that would be taken; nothing is done
    why         one lot's whole story; story, arc_story and boundary_story write its parts
    describe    the kinds of component there are
    deploying   a pipeline onto a cloud, through Pulumi's engine

Reports stream: a million lots cost a listing and constant memory. What cannot be read is reported with its key, as a
:class:`~clusterless.operations.records.Trouble`, and everything else goes on.
"""
