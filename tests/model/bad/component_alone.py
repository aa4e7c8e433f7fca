from clusterless import Dataset, Pipeline, local
from clusterless.boundaries import PutBoundary

raw = Dataset("raw", "1", "raw/")
pipeline = Pipeline("p", "1", placement=local("lake"), components=PutBoundary("landing", into=raw, every="5m"))
