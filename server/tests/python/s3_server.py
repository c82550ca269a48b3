"""A local S3 service for tests: prints its address, then serves until standard input closes.

Usage: s3_server.py BUCKET DIRECTORY   (the files below DIRECTORY are uploaded under their names)
"""

import pathlib
import sys

import boto3
from moto.server import ThreadedMotoServer

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
