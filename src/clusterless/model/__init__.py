"""What a pipeline *is*: frozen declarations, and everything that can be said about them without touching a storage.

A :class:`~clusterless.model.pipeline.Pipeline` is a project (name, version), a placement (where it lives) and components:

* a **boundary** turns arrivals from outside into lots of one dataset,
* an **arc** reads datasets and writes datasets, lot by lot,
* a **resource** is a plain thing of the cloud that others need, an **activity** a scheduled side job.

The kinds themselves (one file each) are in :mod:`clusterless.boundaries` and :mod:`clusterless.arcs`; here is what they share::

    base, components, dataset, placement …   the models; Pydantic, frozen, they refuse what cannot be right by itself
    kinds                                    type name → class, imported on use; where third parties join
    jsontext, reading                        a project file → Pipeline, or all that is wrong with it
    schema                                   JSON Schema and templates of the same models
    problems                                 what a finding looks like
    shape, places                            what a field is called: in JSON, in Python, by the argument it is made from
    graph, verify                            findings about the whole: owners, cycles, units, overlaps
    naming, labels                           every name in a cloud, both ways
    capabilities, control                    what a provider says it can do, and how operations reach what runs
    compile                                  Pipeline → the JSON spec that a function is configured with
    load                                     pipeline.py, project.json or standard input → Pipeline

The way of a declaration is always the same: *load → verify → compile*. The first two collect every problem before they complain.
Nothing here reads a storage, and no function in a cloud imports any of it: what runs there is configured by the compiled spec.
"""
