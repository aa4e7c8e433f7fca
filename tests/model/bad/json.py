from clusterless import Dataset, Pipeline, local
from clusterless.arcs import CopyArc, FunctionArc

raw = Dataset("raw", "1", "raw/")
out = Dataset("out", "1", "out/")
pipeline = Pipeline("p", "1", placement=local("lake"))
