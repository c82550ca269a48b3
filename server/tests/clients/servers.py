"""Starts Wayfare and a PostgreSQL of its own with the same rows, on free ports of this machine."""

import contextlib
import getpass
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
SHOP = ROOT / "datasets" / "data" / "simple_shop" / "simple_shop.csv.gz"
EDGE = HERE / "data" / "edge.csv"
OTHER_TYPES = {"ts": "timestamptz NOT NULL", "received_at": "timestamptz", "user_id": "text NOT NULL", "event": "text NOT NULL", "revenue": "numeric(18,4)", "cost": "numeric(18,4)", "score": "double precision"}


@dataclass
class Address:
    host: str
    port: int
    user: str
    database: str
    process: subprocess.Popen


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def psql(address, statement, database=None, **more):
    words = ["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", address.host, "-p", str(address.port), "-U", address.user, "-d", database or address.database, "-c", statement]
    return subprocess.run(words, check=True, capture_output=True, text=True, env=os.environ | {"PGCONNECT_TIMEOUT": "10"}, **more).stdout


def version(address):
    return psql(address, "SELECT version()").strip().split(",")[0].split(" on ")[0]


def wait(address, database):
    """Until the server answers, at most 30 s."""
    for _ in range(100):
        try:
            return psql(address, "SELECT 1", database)
        except subprocess.CalledProcessError as error:
            last = error
            time.sleep(0.3)
    raise RuntimeError(f"no answer on port {address.port}: {last.stderr}")


def end_tidily():
    """Makes a request to end unwind what has been started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def end(process):
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


@contextlib.contextmanager
def wayfare(program, folder, inputs=((SHOP, ("--map", "ts=timestamp")), (EDGE, ()))):
    """Serves a new store with the rows of `inputs`: files with options of `load`."""
    store = os.path.join(folder, "store")
    for path, options in inputs:
        subprocess.run([program, "load", "--store", store, str(path), *options], check=True, capture_output=True)
    port = free_port()
    words = [program, "serve", "--store", store, "--port", str(port)]
    help_text = subprocess.run([program, "serve", "--help"], capture_output=True, text=True).stdout
    words += ["--no-auth"] if "--no-auth" in help_text else []
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = Address("127.0.0.1", port, "tester", "wayfare", process)
    try:
        wait(address, "wayfare")
        yield address
    finally:
        end(process)


def programs(directory):
    found = [directory] if directory else [str(path) for path in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))]
    if not found:
        raise SystemExit("no PostgreSQL: install it, or name its directory with --postgres")
    return found[-1]


@contextlib.contextmanager
def postgres(directory, folder, source=None):
    """A new cluster, with `touchpoints` as the server `source` shows it if there is one."""
    home = programs(directory)
    data = os.path.join(folder, "postgres")
    os.mkdir(data)
    # PostgreSQL does not run as root.
    other = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
    if other:
        os.chmod(folder, 0o755)
        subprocess.run(["chown", "postgres", data], check=True)
    port = free_port()
    subprocess.run([*other, f"{home}/initdb", "-D", data, "-U", "tester", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, cwd="/")
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "timezone": "UTC", "fsync": "off"}
    words = [*other, f"{home}/postgres", "-D", data]
    for name, value in settings.items():
        words += ["-c", f"{name}={value}"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    address = Address("127.0.0.1", port, "tester", "wayfare", process)
    try:
        wait(address, "postgres")
        psql(address, "CREATE DATABASE wayfare", "postgres")
        if source:
            copy_rows(source, address)
        yield address
    finally:
        end(process)


def copy_rows(source, target):
    """Makes `touchpoints` of one server in another, rows and all."""
    names = psql(source, "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'touchpoints' ORDER BY ordinal_position").split()
    columns = ", ".join(f"{name} {OTHER_TYPES.get(name, 'text')}" for name in names)
    psql(target, f"CREATE TABLE touchpoints ({columns})")
    # psql prints rows as they are, so a form that quotes is needed; NULL differs from empty by a word of its own.
    null = "no-value-here"
    rows = subprocess.Popen(["psql", "-X", "--csv", "-t", "-P", f"null={null}", "-h", source.host, "-p", str(source.port), "-U", source.user, "-d", source.database, "-c", "SELECT * FROM touchpoints"],
                            stdout=subprocess.PIPE)
    words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", target.host, "-p", str(target.port), "-U", target.user, "-d", target.database,
             "-c", f"COPY touchpoints FROM STDIN WITH (FORMAT csv, NULL '{null}')", "-c", "ANALYZE touchpoints"]
    subprocess.run(words, stdin=rows.stdout, check=True)
    if rows.wait() != 0:
        raise RuntimeError("the rows could not be read")
