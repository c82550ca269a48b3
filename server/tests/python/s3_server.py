"""A local S3 service for tests: prints its address, then serves until standard input closes.

Usage: s3_server.py BUCKET DIRECTORY   (the files below DIRECTORY are uploaded under their names)
"""

import pathlib
import sys
import threading

import boto3
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

# moto looks whether an object is there and puts it in two steps; S3 does both at once. Without this two writers that put
# the same name under the condition that it is new could both be told that they succeeded.
one_at_a_time = threading.Lock()
put_object = S3Response.put_object


def put_object_at_once(response):
    with one_at_a_time:
        return put_object(response)


S3Response.put_object = put_object_at_once

bucket, directory = sys.argv[1], pathlib.Path(sys.argv[2])
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
client = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
client.create_bucket(Bucket=bucket)
for path in sorted(p for p in directory.rglob("*") if p.is_file()):
    key = path.relative_to(directory).as_posix()
    # Readable without a signature: clients of other clouds read from here too.
    client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ACL="public-read")
print(endpoint, flush=True)
sys.stdin.read()
server.stop()
