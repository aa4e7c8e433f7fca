"""What ``pulumi up`` runs here: the example in ``examples/access_logs``, on the cloud that the stack's configuration names."""

import sys
from pathlib import Path

import clusterless

sys.path.insert(0, str(Path(__file__).parent / "examples" / "access_logs"))

from pipeline import pipeline

clusterless.provision(pipeline)
