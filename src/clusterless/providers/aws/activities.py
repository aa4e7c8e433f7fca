"""Activities as components: a schedule, and the function that does the work at the end of each interval."""

from __future__ import annotations

import pulumi

from clusterless.providers.aws.args import FunctionArgs
from clusterless.providers.aws.boundaries import at_each_end
from clusterless.providers.aws.component import FunctionComponent
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ActivitySpec


class CloudWatchExport(FunctionComponent):
    """Exports a log group's last interval to a bucket, once an interval."""

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if not isinstance(args.spec, ActivitySpec) or args.spec.work.get("kind") != "cloudWatchExport":
            raise InvalidInput(f"CloudWatchExport is made from the spec of such an activity, not of '{args.spec.name}'")
        super().__init__(name, args, opts)

    def _alias(self) -> None:
        """It has no lots that anybody could ask for."""

    def connect(self) -> None:
        assert isinstance(self.args.spec, ActivitySpec)
        at_each_end(self, self.args.spec.lot_unit)
