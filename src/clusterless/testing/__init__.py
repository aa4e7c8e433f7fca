"""The public test kit.

* :mod:`clusterless.testing.stores`: what every store must do, as a class of test cases to inherit. Needs pytest.
* :mod:`clusterless.testing.simulation`: the lot protocol under faults (``make simulate``). Needs greenlet.

Nothing of the package imports this, and it imports nothing above the runtime and the model, so whoever writes a store, an arc
or a provider can test it against the same rules as our own.
"""
