"""AWS's own clients against a running cloud: boto3 and the `aws` command, with keys that `openstack ec2 credentials` made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

from tests.people import wait_for
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
BIN = Path(sys.executable).parent
MIB = 1 << 20


@dataclass
class Keys:
    stack: Stack
    access: str
    secret: str

    def client(self, **config: Any) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.stack.url("object") + "/s3",
            region_name="RegionOne",
            aws_access_key_id=self.access,
            aws_secret_access_key=self.secret,
            config=Config(s3={"addressing_style": "path"}, **config),
        )

    def aws(self, *arguments: str, fails: bool = False) -> str:
        """The `aws` command's output."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "RegionOne",
            "AWS_ENDPOINT_URL": self.stack.url("object") + "/s3",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        done = subprocess.run([BIN / "aws", *arguments], env=env, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode != 0) == fails, f"aws {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def openstack(stack: Stack, *arguments: str, cloud: str = "demo") -> Any:
    """What the command prints as JSON."""
    command = [str(BIN / "openstack"), *arguments]
    done = subprocess.run(command, env=stack.env(cloud), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"openstack {' '.join(arguments)}: {done.stderr}"
    return json.loads(done.stdout) if "json" in arguments else done.stdout


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    with Stack() as stack:
        made = openstack(stack, "ec2", "credentials", "create", "-f", "json")
        yield Keys(stack, made["access"], made["secret"])


def test_openstack_keeps_ec2_keys(keys: Keys) -> None:
    stack = keys.stack
    made = openstack(stack, "ec2", "credentials", "create", "-f", "json")
    assert made["access"] in {row["Access"] for row in openstack(stack, "ec2", "credentials", "list", "-f", "json")}
    assert openstack(stack, "ec2", "credentials", "show", made["access"], "-f", "json")["secret"] == made["secret"]
    own = Keys(stack, made["access"], made["secret"]).client()
    own.list_buckets()
    openstack(stack, "ec2", "credentials", "delete", made["access"])
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        wait_for(lambda: own.list_buckets() is None, 1.5, "the end of the key")
    user = openstack(stack, "token", "issue", "-f", "json")["user_id"]
    blob = '{"access": "mine", "secret": "chosen by me"}'
    project = openstack(stack, "project", "show", "demo", "-f", "json", cloud="admin")["id"]
    general = openstack(stack, "credential", "create", "--type", "ec2", "--project", project, user, blob, "-f", "json", cloud="admin")
    assert openstack(stack, "credential", "show", general["id"], "-f", "json", cloud="admin")["blob"] == blob
    Keys(stack, "mine", "chosen by me").client().list_buckets()
    openstack(stack, "credential", "delete", general["id"], cloud="admin")


def test_boto3_moves_large_files(keys: Keys, tmp_path: Path) -> None:
    s3, data = keys.client(), os.urandom(21 * MIB + 17)
    (tmp_path / "in").write_bytes(data)
    s3.create_bucket(Bucket="large")
    for chunk in (8 * MIB, 5 * MIB):  # whole blocks, and not
        transfer = TransferConfig(multipart_threshold=chunk, multipart_chunksize=chunk, max_concurrency=4)
        s3.upload_file(str(tmp_path / "in"), "large", "file", Config=transfer, ExtraArgs={"Metadata": {"of": "boto3"}})
        s3.download_file("large", "file", str(tmp_path / "out"), Config=transfer)
        assert (tmp_path / "out").read_bytes() == data
        s3.copy({"Bucket": "large", "Key": "file"}, "large", "copy", Config=transfer)
        assert s3.head_object(Bucket="large", Key="copy")["ContentLength"] == len(data)
        assert s3.get_object(Bucket="large", Key="copy")["Body"].read() == data
    url = s3.generate_presigned_url("get_object", {"Bucket": "large", "Key": "file"}, ExpiresIn=60)
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == data
    s3.delete_objects(Bucket="large", Delete={"Objects": [{"Key": "file"}, {"Key": "copy"}]})
    s3.delete_bucket(Bucket="large")


def test_aws_copies_lists_and_syncs(keys: Keys, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for name, size in (("a.txt", 5), ("sub/b c.bin", 9 * MIB), ("sub/ü", 0)):
        (folder / name).write_bytes(os.urandom(size))
    keys.aws("s3", "mb", "s3://synced")
    keys.aws("s3", "cp", str(folder / "a.txt"), "s3://synced/x/a.txt")
    assert "PRE x/" in keys.aws("s3", "ls", "s3://synced/")
    assert "a.txt" in keys.aws("s3", "ls", "s3://synced", "--recursive")
    keys.aws("s3", "sync", str(folder), "s3://synced/y")
    assert keys.aws("s3", "sync", str(folder), "s3://synced/y") == ""
    keys.aws("s3", "sync", "s3://synced/y", str(tmp_path / "back"))
    for name in ("a.txt", "sub/b c.bin", "sub/ü"):
        assert (tmp_path / "back" / name).read_bytes() == (folder / name).read_bytes()
    keys.aws("s3", "cp", "s3://synced/y/sub/b c.bin", "s3://synced/copy")
    keys.aws("s3", "mv", "s3://synced/copy", "s3://synced/moved")
    url = keys.aws("s3", "presign", "s3://synced/y/a.txt").strip()
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == (folder / "a.txt").read_bytes()
    keys.aws("s3api", "put-bucket-versioning", "--bucket", "synced", "--versioning-configuration", "Status=Enabled")
    assert "NotImplemented" in keys.aws("s3api", "get-bucket-policy", "--bucket", "synced", fails=True)
    assert "BucketNotEmpty" in keys.aws("s3", "rb", "s3://synced", fails=True)
    keys.aws("s3api", "put-bucket-versioning", "--bucket", "synced", "--versioning-configuration", "Status=Suspended")
    keys.aws("s3", "rm", "s3://synced", "--recursive")
    assert keys.aws("s3", "ls", "s3://synced", "--recursive") == ""


def test_the_catalogue_has_the_endpoint_and_nothing_is_left_over(keys: Keys) -> None:
    shown = openstack(keys.stack, "catalog", "show", "s3", "-f", "json")
    assert {row["url"] for row in shown["endpoints"]} == {keys.stack.url("object") + "/s3"}
    keys.stack.assert_invariants()
