"""Where pipelines run. Each provider is one folder; what it can do stands in its capability record.

A provider has a run-time half, which imports only ``runtime`` and the standard library, and a control half with its SDK. It is
injected: ``provisioning`` and the command line find it by its entry point, and nothing in ``model``, ``operations`` or
``runtime`` imports one.
"""
