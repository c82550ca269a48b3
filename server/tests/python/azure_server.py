"""A local Azure blob service for tests: prints its address, then serves until standard input closes.

Usage: azure_server.py CONTAINER DIRECTORY NODE_MODULES   (the files below DIRECTORY are uploaded under their names)
"""

import base64
import email.utils
import hashlib
import hmac
import http.client
import pathlib
import socket
import subprocess
import sys
import time
import urllib.parse

# The account that every emulator has.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

container, directory, modules = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
program = modules / "azurite" / "dist" / "src" / "blob" / "main.js"
if not program.exists():
    sys.exit(f"there is no {program}")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
process = subprocess.Popen(
    ["node", str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence",
     "--silent", "--disableTelemetry", "--skipApiVersionCheck"],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)


def put(path, query, headers, body):
    """Puts `body`, signed as the service wants it."""
    headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-08-06", **headers}
    length = str(len(body)) if body else ""
    named = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    resource = f"/{ACCOUNT}{path}" + "".join(f"\n{name}:{value}" for name, value in sorted(query.items()))
    signed = "\n".join(["PUT", "", "", length, "", "", "", "", "", "", "", "", named + resource])
    digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Length"] = str(len(body))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    target = path + ("?" + urllib.parse.urlencode(query) if query else "")
    connection.request("PUT", target, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 201:
        process.kill()
        sys.exit(f"PUT {target}: {answer.status} {text[:300]!r}")


try:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            if process.poll() is not None:
                sys.exit("the emulator has ended")
            time.sleep(0.1)
    put(f"/{ACCOUNT}/{container}", {"restype": "container"}, {}, b"")
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        name = urllib.parse.quote(path.relative_to(directory).as_posix())
        put(f"/{ACCOUNT}/{container}/{name}", {}, {"x-ms-blob-type": "BlockBlob"}, path.read_bytes())
    print(f"http://127.0.0.1:{port}", flush=True)
    sys.stdin.read()
finally:
    process.kill()
    process.wait()
