"""What happens when data arrives: the lot protocol, the same code for every provider.

Three kinds of module live here. *Pure* ones know names and rules: `lots`, `layout`, `uri`, `paths`, `records`, `manifest` (with
`jsonscan`), `state`, `spec`, `policy`. *Protocols* decide, by creating keys: `intake` for boundaries; for arcs `arc`
(what a delivery calls for) and `attempt` (one run), with `sources` (what a run reads), `history` (what a claim that exists
means), `behind` (what nobody has committed) and `publish` (from a commit to what follows from it); `reconcile` for what no event
tells. *Seams* are the little that these need of the world: `store` and `clock`, with adapters in
`stores/`, and `site`, which puts the stores of a placement together. What an attempt runs is in `workloads/`, told by `work`.

To understand it, read `store`, `layout`, `intake`, `attempt`, `arc`, in this order. Why it holds: ``docs/protocol.md``.

It is packed into functions, so it imports the standard library, `clusterless.workload` and itself, and `obstore` in one store.
Declarations, Pydantic and cloud SDKs may not come here: what a function must know of a declaration arrives as JSON (`spec`).
"""
