"""A worker for the supervisor's tests: answers each request with its pid, and records its end.

It does not start if the data directory has a file named `broken`, and does not stop when asked to
if there is one named `stubborn`.
"""

import os
import socket
import sys
import threading
import time

from redis import Redis

from entrypoints.processes.worker_config import WorkerConfig
from entrypoints.program import SUPERVISOR_FD


def main() -> None:
    """Serve until the supervisor asks to stop."""
    config = WorkerConfig.from_environment()
    place = config.settings.log.data_dir
    if (place / "broken").exists():
        sys.exit(7)

    def stop_when_asked() -> None:
        os.read(SUPERVISOR_FD, 1)
        if (place / "stubborn").exists():
            return
        time.sleep(0.2)  # requests in flight
        try:
            with Redis.from_url(config.url) as client:
                client.rpush("ended", os.getpid())
        finally:
            os._exit(0)

    threading.Thread(target=stop_when_asked, daemon=True).start()
    listener = socket.socket(fileno=config.fd)
    with Redis.from_url(config.url) as client:
        client.ping()
    config.say_ready()
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            body = str(os.getpid())
            connection.sendall(
                f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
                f"Connection: close\r\n\r\n{body}".encode()
            )


if __name__ == "__main__":
    main()
