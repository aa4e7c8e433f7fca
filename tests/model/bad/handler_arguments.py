from clusterless import Dataset, Pipeline, local
from clusterless.arcs import CopyArc, FunctionArc

raw = Dataset("raw", "1", "raw/")
out = Dataset("out", "1", "out/")


def clean(lot): ...


pipeline = Pipeline("p", "1", placement=local("lake"), components=[FunctionArc("clean", clean, reads=raw, writes=out)])
