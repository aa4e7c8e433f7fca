"""Asking another component of the placement to settle a lot: an asynchronous call of its function, by the alias for just that.

What comes of it is read from storage, by the delivery of the manifest that was asked for, or by the alarm that the asker arms.
Should nobody bring the lot about, alarms come ever more rarely: a lot that stays absent costs a call an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from clusterless.providers.aws.services import Services
from clusterless.runtime.clock import Clock
from clusterless.runtime.errors import StoreUnavailable
from clusterless.runtime.lots import Lot
from clusterless.runtime.spec import SourceSpec

SHORTEST, LONGEST = 60.0, 3600.0
"""Seconds until the asker looks again: an eighth of the time that the lot is over, within these."""


class Settling:
    """The :data:`~clusterless.runtime.arc.Settle` of an arc. ``functions``: dataset id → its producer's, as ``NAME:settle``."""

    def __init__(self, functions: Mapping[str, str], services: Services, clock: Clock) -> None:
        self._functions, self._services, self._clock = functions, services, clock

    def __call__(self, source: SourceSpec, lot: Lot) -> float | None:
        """Ask, and say when to look again; None where the producer is not of this placement: its manifest is waited for."""
        function = self._functions.get(source.dataset.id)
        if function is None:
            return None
        reply = self._services("lambda").call(
            "lambda:InvokeFunction",
            "POST",
            f"/2015-03-31/functions/{quote(function, safe='')}/invocations",
            {"clusterless": "settle", "lot": str(lot)},
            headers={"x-amz-invocation-type": "Event"},
            where=function,
        )
        if not reply.ok:
            raise StoreUnavailable(
                f"the producer of {source.dataset.id} could not be asked for lot {lot}: {reply}",
                where=function,
                fix="deploy the pipeline that has it",
            )
        now = self._clock.now()
        return now + min(max((now - lot.end) / 8, SHORTEST), LONGEST)
