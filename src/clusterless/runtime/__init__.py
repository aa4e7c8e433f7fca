"""What happens when data arrives: the lot protocol, the same code for every provider.

Three kinds of module live here. *Pure* ones know names and rules: `lots`, `layout`, `uri`, `paths`, `records`, `manifest`,
`state`, `spec`, `policy`. *Protocols* decide, by creating keys: `intake` for boundaries, `attempt` for arcs. *Seams* are the
little that both need of the world: `store` and `clock`, with adapters in `stores/`; what an attempt runs is in `workloads/`.

It is packed into functions, so it imports the standard library, `clusterless.workload` and itself, and `obstore` in one module.
Declarations, Pydantic and cloud SDKs may not come here: what a function must know of a declaration arrives as JSON (`spec`).
"""
