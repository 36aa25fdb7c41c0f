"""A real S3 API on loopback over a folder: the disk is the truth, the server only shows it."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any


@dataclass(slots=True)
class CloudStore:
    """A served folder. Leaving the `with` block, or `close`, stops the server and empties it."""

    folder: Path
    bucket: str
    endpoint_url: str
    _server: Any = field(repr=False)
    _thread: threading.Thread = field(repr=False)
    _shown: dict[str, str] = field(default_factory=dict, repr=False)

    def refresh(self) -> None:
        """Show what lies on disk now: new, changed and removed objects."""
        told = json.loads((self.folder / "cloud.json").read_text())["objects"]
        root = self.folder / "bucket"
        present = {str(p.relative_to(root)): p for p in sorted(root.rglob("*")) if p.is_file()}
        for key, path in present.items():
            raw = path.read_bytes()
            mark = f"{hashlib.sha256(raw).hexdigest()} {told.get(key)}"
            if self._shown.get(key) != mark:
                self._put(key, raw, told.get(key), path)
                self._shown[key] = mark
        for key in self._shown.keys() - present.keys():
            _backend().delete_object(self.bucket, key)
            del self._shown[key]

    def _put(self, key: str, raw: bytes, told: dict[str, Any] | None, path: Path) -> None:
        made = _backend().put_object(self.bucket, key, raw)
        if told is None:
            at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        else:
            made.set_metadata({f"x-amz-meta-{k}": v for k, v in told["metadata"].items()})
            at = datetime.fromisoformat(told["modified"])
        made.last_modified = at.astimezone(UTC).replace(tzinfo=None)

    def close(self) -> None:
        """Stop serving. The folder stays."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        _empty(self.bucket)

    def __enter__(self) -> CloudStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(folder: Path, port: int = 0) -> CloudStore:
    """Serve what `build` wrote in `folder` on 127.0.0.1; port 0 takes a free one.

    The server runs in a thread of this process and accepts any credentials. Raises OSError if the
    port is taken, FileNotFoundError if nothing was built.
    """
    bucket = str(json.loads((folder / "cloud.json").read_text())["bucket"])
    _empty(bucket)
    _backend().create_bucket(bucket, "eu-central-1")
    server = _make_server(port)
    thread = threading.Thread(
        target=server.serve_forever, args=(0.02,), name="demo-s3", daemon=True
    )
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    store = CloudStore(folder, bucket, url, server, thread)
    store.refresh()
    return store


def _make_server(port: int) -> Any:
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    class Silent(MotoRequestHandler):
        """Writes no line per request to the terminal of the demo."""

        def log(self, type: str, message: str, *args: Any) -> None:
            """Nothing."""

    app = DomainDispatcherApplication(create_backend_app)
    return make_server("127.0.0.1", port, app, threaded=True, request_handler=Silent)


def _backend() -> Any:
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _empty(bucket: str) -> None:
    backend = _backend()
    if bucket not in backend.buckets:
        return
    for key in list(backend.buckets[bucket].keys.values()):
        key.dispose()
    backend.buckets[bucket].keys.clear()
    backend.delete_bucket(bucket)
