"""A real S3 server on this machine: rclone's, which keeps objects as files in a folder."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BUCKET = "results-of-all"
_KEY, _SECRET = "user", "secret-of-user"


@dataclass(frozen=True)
class ObjectServer:
    """Its objects are files in `folder`; `address` is where it listens."""

    folder: Path
    address: str

    def store(self, name: str) -> str:
        return f"s3://{BUCKET}/{name}"

    def records(self, name: str) -> list[Path]:
        return sorted((self.folder / BUCKET / name).rglob("record.json"))

    def environment(self, home: Path, **variables: str) -> dict[str, str]:
        """What a user of this server sets, with a home folder in which there is nothing."""
        home.mkdir(parents=True, exist_ok=True)
        return {"HOME": str(home), "AWS_ENDPOINT_URL": self.address, "AWS_ACCESS_KEY_ID": _KEY,
                "AWS_SECRET_ACCESS_KEY": _SECRET, **variables}


@contextlib.contextmanager
def object_server(folder: Path, *options: str) -> Iterator[ObjectServer]:
    """Serve `folder`, which has one bucket, on a free port until the block ends.

    The server remembers what the folder holds: only through it may anything be changed meanwhile.
    """
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    # Beside this Python, which need not be the one that PATH names.
    program = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
    assert program, "rclone is missing: it comes with the packages of envs/test.txt"
    command = [program, "serve", "s3", str(folder), "--addr", "127.0.0.1:0", "--auth-key", f"{_KEY},{_SECRET}",
               "--config", "", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    reading = threading.Thread(target=process.stderr.read)  # a full pipe would stop it
    try:
        for line in process.stderr:
            listening = re.search(r"\[(http://127\.0\.0\.1:\d+)/\]", line)
            if listening:
                break
        else:
            raise RuntimeError(f"rclone ended with exit status {process.wait()}")
        reading.start()
        yield ObjectServer(folder, listening.group(1))
    finally:
        process.kill()
        process.wait()
        if reading.ident is not None:
            reading.join()
        process.stderr.close()
