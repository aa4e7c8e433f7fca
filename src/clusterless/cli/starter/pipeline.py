"""Orders arrive as CSV files; each five minutes of them become totals by product."""

from __future__ import annotations

from adding import add_up

from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc
from clusterless.boundaries import PutBoundary

orders = Dataset("orders", version="1", path="inbox/")
totals = Dataset("totals", version="1", path="totals/")

pipeline = Pipeline(
    "my-pipeline",
    "1",
    placement=local("./lake", stage="dev"),
    components=[
        PutBoundary("landing", into=orders, every="5m"),
        FunctionArc("add-up", add_up, reads=orders, writes=totals),
    ],
)
