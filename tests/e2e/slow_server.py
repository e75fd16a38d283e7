"""A server over TCP that answers most requests at once, and those that say `slow` never; it sees who hangs up."""

import json
import re
import socketserver
import threading
from http.server import BaseHTTPRequestHandler


class SlowServer(socketserver.ThreadingTCPServer):
    """Listens on a free port of the loopback; `asked` and `hung_up` say what happened to a slow request."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked, self.hung_up = threading.Event(), threading.Event()
        self.requests: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SlowServer

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if "slow" in self.path:
            self.server.asked.set()
            if self.connection.recv(1) == b"":  # nothing more is sent on this connection but its end
                self.server.hung_up.set()
            self.close_connection = True
            return
        plural = re.match(r"/api/(\w+)", self.path)
        body = {
            "version": "2.42.5.2", "username": "admin", "pager": {"page": 1, "pageCount": 1, "total": 0, "pageSize": 50},
            plural[1] if plural else "": [],
        }  # fmt: skip
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads a log."""
