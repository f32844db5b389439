"""Object storage for tests: a server of moto, or a folder under a URL."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "autohier-tests"


@contextmanager
def s3_server() -> Iterator[str]:
    """Yield the URL of an empty bucket, with credentials for it in the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        endpoint = f"{host}:{port}"
        client = boto3.client("s3", region_name="us-east-1", endpoint_url=f"http://{endpoint}")
        client.create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}/stages?endpoint_override={endpoint}&scheme=http&region=us-east-1"
    server.stop()
