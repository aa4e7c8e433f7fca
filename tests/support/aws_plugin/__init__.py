"""A resource provider for ``pulumi_aws`` types, ours, that the engine loads under test: it makes real resources on an emulator.

The genuine one cannot be had on every machine that runs the tests. This one is as strict as what is known about AWS allows::

    engine ──gRPC──▶ provider ──▶ sdk      is this a type, a property, a value that the Python SDK knows?
                        │   └────▶ calls    would AWS take this request? (botocore's service models: enums, patterns, lengths)
                        └────────▶ kinds    what a type of resource is in calls of boto3: create, read, update, delete

What it cannot tell: anything that AWS checks beyond the models, and how long AWS takes.
"""
