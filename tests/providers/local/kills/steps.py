"""The steps of both protocols, as the calls of the stores that they are; and a store that kills its process at one of them."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from clusterless.runtime.layout import parse_manifest_key, parse_protocol_key
from clusterless.runtime.store import Body, Created, Entry, Writer
from clusterless.runtime.stores.folder import FolderStore

STEPS = (
    "mark: open",
    "mark: arrival",
    "mark: seal-read",
    "mark: late",
    "close: seal",
    "close: list",
    "close: commit",
    "close: manifest",
    "arc: look",
    "arc: claim",
    "arc: run",
    "arc: data write",
    "arc: staged sink",
    "arc: commit",
    "arc: manifest",
    "arc: marker",
    "arc: look behind",
    "arc: failed",
    "arc: partial",
)
_CREATES = {
    ("boundary", "open"): "mark: open",
    ("boundary", "arrivals"): "mark: arrival",
    ("boundary", "late"): "mark: late",
    ("boundary", "seal"): "close: seal",
    ("boundary", "commit"): "close: commit",
    ("arc", "claim"): "arc: claim",
    ("arc", "sink"): "arc: staged sink",
    ("arc", "commit"): "arc: commit",
    ("arc", "failed"): "arc: failed",
}


@dataclass
class Death:
    """Where this process is to die: before or after the ``number``-th call of a step. Without a step it counts, and notes the
    last step, for whoever kills it from outside."""

    step: str = ""
    number: int = 0
    when: str = "before"
    note: Path | None = None
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def before(self, step: str | None) -> int:
        """One more call of a step; its number."""
        if step is None:
            return 0
        with self._lock:
            self.counts[step] += 1
            number = self.counts[step]
        self._at(step, number, "before")
        return number

    def after(self, step: str | None, number: int) -> None:
        if step is not None:
            self._at(step, number, "after")

    def _at(self, step: str, number: int, when: str) -> None:
        here = (step, number, when) == (self.step, self.number, self.when)
        if self.note is not None and (here or not self.step):
            self._tell(f"{step} #{number} {when}")
        if here:
            os.kill(os.getpid(), signal.SIGKILL)

    def _tell(self, text: str) -> None:
        """Whole at any moment: whoever reads may have killed the writer."""
        assert self.note is not None
        with self._lock:
            new = self.note.with_suffix(".new")
            new.write_text(text)
            new.rename(self.note)


class Stepping(FolderStore):
    """A folder whose calls are steps."""

    def __init__(self, root: str | os.PathLike[str], death: Death, *, durable: bool = True) -> None:
        super().__init__(root, durable=durable)
        self._death = death
        self._kind = next((kind for kind in ("manifest", "arc-state") if f"clusterless-{kind}" in str(root)), "data")

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        step = self._created(key)
        number = self._death.before(step)
        created = super().create(key, body, durable=durable)
        self._death.after(step, number)
        return created

    def get(self, key: str) -> bytes | None:
        step = "mark: seal-read" if self._kind == "arc-state" and key.endswith("/seal.json") else None
        number = self._death.before(step)
        data = super().get(key)
        self._death.after(step, number)
        return data

    def open(self, key: str) -> BinaryIO | None:
        step = "arc: look" if self._kind == "manifest" else None
        number = self._death.before(step)
        stream = super().open(key)
        self._death.after(step, number)
        return stream

    def head(self, key: str) -> Entry | None:
        step = "arc: look behind" if self._kind == "arc-state" and key.startswith("arcs/") else None
        number = self._death.before(step)
        entry = super().head(key)
        self._death.after(step, number)
        return entry

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        step = self._listed(prefix)
        number = self._death.before(step)
        try:
            yield from super().list(prefix, after)
        finally:  # whoever has seen enough stops listing
            self._death.after(step, number)

    def write(self, key: str) -> Writer:
        return _SteppingWriter(super().write(key), self._death) if self._kind == "data" else super().write(key)

    def _created(self, key: str) -> str | None:
        if self._kind == "manifest":
            found = parse_manifest_key(key)
            if found is not None and found.state == "partial":
                return "arc: partial"
            return "close: manifest" if found is not None and found.dataset == "raw" else "arc: manifest"
        if self._kind == "arc-state":
            protocol = parse_protocol_key(key)
            return "arc: marker" if protocol is None else _CREATES.get((protocol.kind, protocol.what))
        return None

    def _listed(self, prefix: str) -> str | None:
        if self._kind == "arc-state":
            return "close: list" if prefix.endswith("/arrivals/") else "arc: look behind" if prefix.startswith("arcs/") else None
        return "arc: look" if self._kind == "manifest" else None


class _SteppingWriter:
    """The data is there, whole, when the writer is closed: that is the step."""

    def __init__(self, writer: Writer, death: Death) -> None:
        self._writer = writer
        self._death = death

    def write(self, data: bytes, /) -> int:
        return self._writer.write(data)

    def close(self) -> None:
        number = self._death.before("arc: data write")
        self._writer.close()
        self._death.after("arc: data write", number)

    def abort(self) -> None:
        self._writer.abort()
