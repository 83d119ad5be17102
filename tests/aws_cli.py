"""The real AWS CLI, imported once: each `aws` that a shell runs is a process forked where that stands."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fork import fork
from tests.stack import ROOT

# What stands on a shell's PATH: it hands over its words, environment, folder and terminal, and ends as the command does.
AWS = f"""#!{sys.executable} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect(os.path.join(os.path.dirname(__file__), "line"))
    said = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(line, [len(said).to_bytes(4)], [0, 1, 2])
    line.sendall(said)
    sys.exit(line.recv(1)[0])
"""


@contextmanager
def on_path() -> Iterator[Path]:
    """The folder in which `aws` is, for as long as it answers."""
    with tempfile.TemporaryDirectory() as folder:
        command = Path(folder, "aws")
        command.write_text(AWS)
        command.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as line:
            line.bind(str(Path(folder, "line")))
            line.listen()
            started = [sys.executable, "-m", __name__, str(line.fileno())]
            server = subprocess.Popen(started, cwd=ROOT, env={}, pass_fds=[line.fileno()])
        try:
            yield Path(folder)
        finally:
            server.terminate()
            server.wait()


def serve(line: socket.socket) -> None:
    from awscli import clidriver  # by itself: whoever runs the tests has a botocore that moto changed

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asked, _ = line.accept()
        size, files, _, _ = socket.recv_fds(asked, 4, 3)

        def work(asked: socket.socket = asked, size: bytes = size, files: list[int] = files) -> None:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with asked, asked.makefile("rb") as said:
                words, environment, folder = json.loads(said.read(int.from_bytes(size)))
                for number, file in enumerate(files):
                    os.dup2(file, number)
                os.environ.update(environment)
                os.chdir(folder)
                code = clidriver.create_clidriver().main(words)
                sys.stdout.flush()
                asked.sendall(code.to_bytes())

        fork(work)
        for file in (asked.detach(), *files):
            os.close(file)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
