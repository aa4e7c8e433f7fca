"""A placement's folders: what is made, and what is swept away."""

from __future__ import annotations

import os
from pathlib import Path

from clusterless.providers.local.place import Place
from clusterless.runtime.stores.disk import HIDDEN


def test_what_crashed_processes_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    place = Place(tmp_path, {}, durable=False)
    place.prepare()
    folder, file = place.scratch / "clusterless-x", tmp_path / HIDDEN / "dead"
    (folder / "sinks").mkdir(parents=True)
    file.parent.mkdir(exist_ok=True)
    file.write_text("half")
    place.prepare()
    assert folder.exists()
    assert file.exists()
    for path in (folder, file):
        os.utime(path, (0, 0))
    place.prepare()
    assert not folder.exists()
    assert not file.exists()
