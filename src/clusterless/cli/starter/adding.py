"""What the arc does. The module imports of Clusterless nothing but its workload, so it runs wherever the pipeline is deployed."""

from __future__ import annotations

import csv
import json
from collections import Counter

from clusterless.workload import Lot, Sink


def add_up(lot: Lot, out: Sink) -> None:
    """How many pieces of each product one lot's orders ask for."""
    pieces: Counter[str] = Counter()
    for item in lot:
        with item.open("rt") as lines:
            for order in csv.DictReader(lines):
                pieces[order["product"]] += int(order["pieces"])
    with out.open("totals.json", "wt") as target:
        json.dump(pieces, target, indent=2)
