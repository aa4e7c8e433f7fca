"""``python -m clusterless.cli`` is ``cls``."""

from clusterless.cli import main

main()
