"""Deterministic simulation of the lot protocol: one seed, one thread, a clock moved by hand, faults at every call of a seam.

The protocols are plain code against the seams ``Store``, ``Clock`` and ``Alarm``. Here many processes run that same code, each in
a greenlet; at every call of a seam the *plan* chooses who goes on and what goes wrong. A run is determined by its plan, so a
violation prints a name that gives the same run, call by call, again::

    python -m clusterless.testing.simulation                       # exhaustive placements, mutants, 100,000 random lots
    python -m clusterless.testing.simulation --replay 4711         # one random run as a trace
    python -m clusterless.testing.simulation --replay 'late:A:12=stall before'

Read in this order: `faults` (what can go wrong, and who decides), `scheduler` (greenlets and time), `store` (the seams), `world`
(a placement and its platform: deliveries, repeats, dead letters), `invariants` (what must hold), `cases` (what is simulated),
`explore` (placements, cuts, random runs), `mutants` (the protocol broken on purpose), `report`.
"""
