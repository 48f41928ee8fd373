"""Files that only their owner may read: keys, certificates, tokens."""

import os
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Replace *path* atomically with *data*, readable by its owner alone from the first moment on. Its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123  # the mode
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
