"""A web server's access log, from the files the servers upload to what people ask of it; nobody sees a client's address.

Importing this declares the pipeline and does nothing: the same object serves ``cls``, tests and a deployment.
"""

from __future__ import annotations

from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc, window
from clusterless.boundaries import PutBoundary
from transforms import roll_up, select_errors, summarise, tokenise, total_usage

VERSION = "20150501"

raw = Dataset("access-logs", VERSION, "inbox/")
clean = Dataset("access-logs-clean", VERSION, "logs/clean/")
rejects = Dataset("access-logs-rejects", VERSION, "logs/rejects/")
usage = Dataset("usage", VERSION, "reports/usage/")
errors = Dataset("errors", VERSION, "reports/errors/")
summary = Dataset("summary", VERSION, "reports/summary/")
daily = Dataset("daily", VERSION, "reports/daily/")

pipeline = Pipeline(
    "access-logs",
    "20150501-00",
    placement=local("./lake", stage="dev"),
    start="20150517PT5M120",
    components=[
        PutBoundary("landing", into=raw, every="5m"),
        FunctionArc("clean", tokenise, reads=raw, writes={"main": clean, "rejects": rejects}, secrets=["address-key"]),
        FunctionArc("usage", total_usage, reads=clean, writes=usage),
        FunctionArc("errors", select_errors, reads=clean, writes=errors),
        FunctionArc("summary", summarise, reads={"usage": usage, "errors": errors}, writes=summary),
        FunctionArc("daily", roll_up, reads=summary, writes=daily, policy=window(288)),
    ],
)
