from clusterless import Dataset, Pipeline, local
from clusterless.arcs import CommandArc

raw, out = Dataset("raw", "1", "raw/"), Dataset("out", "1", "out/")
pipeline = Pipeline("p", "1", placement=local("lake"), components=[CommandArc("c", "sh run.sh", reads=raw, writes=out)])
