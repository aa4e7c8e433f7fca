"""``acme:exports:encryptedExport``: hands the lots of a dataset out of the house, by the house's rules.

::

    feed = Dataset("partner-feed", "1", "s3://acme-partner-feed/")
    EncryptedExport("export", reads=clean, writes=feed)

This is what a pipeline declares, and all that runs on a laptop. What the rules are on AWS says :mod:`acme_exports.aws`.
"""

from __future__ import annotations

from typing import Any, Literal, Unpack

from pydantic import field_validator

from clusterless.arcs.copying import CopyProps
from clusterless.model.base import Duration, declaring, given, refused
from clusterless.model.dataset import Dataset, Reads
from clusterless.model.locations import names_bucket
from clusterless.model.running import ArcOptions, NeutralArc

Classification = Literal["internal", "confidential"]


class EncryptedExport(NeutralArc):
    """Copies the objects of a lot, byte for byte, to a bucket that is the export's own."""

    type: Literal["acme:exports:encryptedExport"] = "acme:exports:encryptedExport"
    classification: Classification = "confidential"
    """How the data is to be handled: a tag of everything that the export consists of."""
    timeout: Duration | None = "5m"
    """The budget of a run: exports are copies, and one that takes longer is stuck."""

    @declaring
    def __init__(
        self,
        name: str,
        *,
        reads: Reads,
        writes: Dataset,
        classification: Classification | None = None,
        **options: Unpack[ArcOptions],
    ) -> None:
        super().__init__(name, reads=reads, writes=writes, **given(classification=classification), **options)

    @field_validator("sinks")
    @classmethod
    def _leaves_the_lake(cls, sinks: dict[str, Dataset]) -> dict[str, Dataset]:
        """Relative paths lie in the lake's bucket, which is not the export's to encrypt."""
        paths = [sink.path or "" for sink in sinks.values()]
        if len(paths) != 1 or not names_bucket(paths[0]):
            raise refused(
                f"an export writes one dataset, in a bucket of its own; this one writes {', '.join(paths) or 'none'}",
                "give the dataset a path like s3://acme-partner-feed/",
            )
        return sinks

    def workload_spec(self) -> dict[str, Any]:
        """The copy that comes with the library; a package with work of its own names it ``package.module:callable``."""
        return {**CopyProps().spec(), "classification": self.classification}
