"""A small Hugging Face Hub on this computer, whose connections can break, and a reader of it."""

import contextlib
import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

COMMIT = "a" * 40
REPO = "org/tales"
CHUNK = 1 << 16


class LocalHub:
    """Serves one dataset, `org/tales`, whose files are those of a folder.

    Attributes:
        served: Bytes of files that were sent.
        breaks: After how many further bytes each connection breaks, one after another.
        is_gone: Every connection is cut before it is answered.
        delay_s: Between two chunks of a file.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.served = 0
        self.breaks = []
        self.is_gone = False
        self.delay_s = 0.0
        self.paths = []
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self, home):
        """What a process needs to take this for the Hub."""
        return {
            **os.environ,
            "HF_HUB_OFFLINE": "0",
            "HF_ENDPOINT": self.address,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": "5",
        }

    def start(self, home, *orders, **settings):
        """A process that reads sources; see `hub_worker.py`."""
        worker = Path(__file__).with_name("hub_worker.py")
        return subprocess.Popen(
            [sys.executable, str(worker), json.dumps({"orders": orders, **settings})],
            env=self.environment(home),
            cwd=Path(__file__).parent.parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def read(self, home, *orders, **settings):
        """What the process found, one result for each order."""
        process = self.start(home, *orders, **settings)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return json.loads(out.splitlines()[-1])


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LocalHub

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.hub.is_gone:
            return self._cut()
        wanted = urllib.parse.parse_qs(body.decode())["paths"]
        files = [self.hub.folder / path for path in wanted]
        self._answer([self._entry(file) for file in files if file.is_file()])

    def do_GET(self):
        if self.hub.is_gone:
            return self._cut()
        path = self.path.partition("?")[0]
        self.hub.paths.append(path)
        api, files = f"/api/datasets/{REPO}", f"/datasets/{REPO}/resolve/"
        if path.startswith(files):
            revision, _, name = path.removeprefix(files).partition("/")
            return self._file(self.hub.folder / name, revision)
        if not path.startswith(api):
            return self._missing("RepoNotFound", "Repository not found")
        asked = re.search("/(revision|tree)/([^/]+)", path)
        if asked and asked[2] not in ("main", COMMIT):
            return self._missing("RevisionNotFound", f"Invalid rev id: {asked[2]}")
        if asked and asked[1] == "tree":
            return self._tree(path.partition(asked[0])[2].strip("/"))
        self._answer({"id": REPO, "sha": COMMIT, "private": False, "tags": [], "siblings": []})

    def _tree(self, name):
        folder = self.hub.folder / name
        if not folder.is_dir():
            return self._missing("EntryNotFound", "no such folder")
        deep = "recursive=true" in self.path.lower()
        found = sorted(folder.rglob("*") if deep else folder.iterdir())
        self._answer([self._entry(each) for each in found])

    def _entry(self, file):
        name = str(file.relative_to(self.hub.folder))
        if file.is_dir():
            return {"type": "directory", "oid": "0" * 40, "size": 0, "path": name}
        oid = hashlib.sha1(name.encode()).hexdigest()
        return {"type": "file", "oid": oid, "size": file.stat().st_size, "path": name}

    def _file(self, file, revision):
        if revision not in ("main", COMMIT):
            return self._missing("RevisionNotFound", f"Invalid rev id: {revision}")
        if not file.is_file():
            return self._missing("EntryNotFound", "no such file")
        data = file.read_bytes()
        begin, end = 0, len(data)
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            begin, end = int(asked[1]), min(int(asked[2] or end) + 1, end)
        self.send_response(206 if asked else 200)
        self.send_header("ETag", f'"{self._entry(file)["oid"]}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}")
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self._send(data[begin:end])

    def _send(self, data):
        hub = self.hub
        for at in range(0, len(data), CHUNK):
            chunk = data[at : at + CHUNK]
            if hub.breaks:
                hub.breaks[0] -= len(chunk)
                if hub.breaks[0] < 0:
                    hub.breaks.pop(0)
                    return self._cut()
            if hub.is_gone:
                return self._cut()
            self.wfile.write(chunk)
            hub.served += len(chunk)
            threading.Event().wait(hub.delay_s)

    def _missing(self, code, message):
        self._answer({"error": message}, 404, {"X-Error-Code": code, "X-Error-Message": message})

    def _answer(self, value, status=200, headers=None):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, each in (headers or {}).items():
            self.send_header(name, each)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _cut(self):
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)
