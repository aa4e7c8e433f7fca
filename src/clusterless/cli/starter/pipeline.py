"""Orders arrive as CSV files; each five minutes of them become totals by product."""

from __future__ import annotations

import csv
import json
from collections import Counter

from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc
from clusterless.boundaries import PutBoundary
from clusterless.workload import Lot, Sink

orders = Dataset("orders", version="1", path="inbox/")
totals = Dataset("totals", version="1", path="totals/")


def add_up(lot: Lot, out: Sink) -> None:
    """How many pieces of each product one lot's orders ask for."""
    pieces: Counter[str] = Counter()
    for item in lot:
        with item.open("rt") as lines:
            for order in csv.DictReader(lines):
                pieces[order["product"]] += int(order["pieces"])
    with out.open("totals.json", "wt") as target:
        json.dump(pieces, target, indent=2)


pipeline = Pipeline(
    "my-pipeline",
    "1",
    placement=local("./lake", stage="dev"),
    components=[
        PutBoundary("landing", into=orders, every="5m"),
        FunctionArc("add-up", add_up, reads=orders, writes=totals),
    ],
)
