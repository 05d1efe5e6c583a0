"""The object store's real clients against a running cloud: python-swiftclient, its `swift` command, openstacksdk, rclone."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
import swiftclient
from swiftclient.exceptions import ClientException
from swiftclient.service import SwiftService, SwiftUploadObject

from tests.stack import Stack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the clients' own
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK60Warning"),
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # files that the SDK does not close
]
SEGMENT = 1 << 20


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack("embedded", "fake") as running:
        yield running


@pytest.fixture(scope="module")
def cloud(stack: Stack) -> Iterator[Any]:
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(stack.layout.root / "clouds.yaml")
    connection = openstack.connect(cloud="demo")
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def login(cloud: Any) -> dict[str, str]:
    """The environment that the `swift` command reads."""
    auth = cloud.config.auth
    return {
        "OS_AUTH_URL": auth["auth_url"],
        "OS_USERNAME": auth["username"],
        "OS_PASSWORD": auth["password"],
        "OS_PROJECT_NAME": auth["project_name"],
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_IDENTITY_API_VERSION": "3",
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(os.urandom(3 * SEGMENT + 12_345))
    return path


def swift(login: dict[str, str], cwd: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).parent / "swift"), *arguments]
    done = subprocess.run(command, cwd=cwd, env=os.environ | login, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", [["--use-slo"], []], ids=["slo", "dlo"])
def test_swift_command_uploads_in_segments(login: dict[str, str], data: Path, tmp_path: Path, kind: list[str]) -> None:
    name = f"in-segments-{len(kind)}"
    swift(login, tmp_path, "upload", *kind, "-S", str(SEGMENT), name, "data")
    shown = swift(login, tmp_path, "stat", name, "data")
    assert str(data.stat().st_size) in shown
    swift(login, tmp_path, "download", name, "data", "-o", "back")
    assert md5(tmp_path / "back") == md5(data)
    assert len(swift(login, tmp_path, "list", f"{name}_segments").split()) == 4
    again = swift(login, tmp_path, "upload", "--skip-identical", *kind, "-S", str(SEGMENT), name, "data")
    assert again.strip() in ("", "data")
    swift(login, tmp_path, "delete", name, "data")
    assert swift(login, tmp_path, "list", f"{name}_segments").split() == []


def test_swift_command_keeps_versions_apart(login: dict[str, str], tmp_path: Path) -> None:
    swift(login, tmp_path, "post", "versions", "-H", "X-Versions-Enabled: true")
    for text in ("one", "two"):
        (tmp_path / "o").write_text(text)
        swift(login, tmp_path, "upload", "versions", "o")
    listed = [line.split() for line in swift(login, tmp_path, "list", "versions", "--versions").splitlines()]
    ids = [line[-3] for line in listed if "o" in line]
    assert len(ids) == 2 and ids[0] > ids[1], listed
    swift(login, tmp_path, "download", "versions", "o", "--version-id", ids[1], "-o", "old")
    assert (tmp_path / "old").read_text() == "one"
    swift(login, tmp_path, "delete", "versions", "--versions")


def test_swift_command_signs_urls(login: dict[str, str], cloud: Any, tmp_path: Path) -> None:
    (tmp_path / "o").write_text("signed")
    swift(login, tmp_path, "upload", "signed", "o")
    swift(login, tmp_path, "post", "-m", "Temp-URL-Key:secret")
    url = cloud.object_store.get_endpoint()
    base, _, account = url.partition("/v1/")
    path = swift(login, tmp_path, "tempurl", "GET", "60", f"/v1/{account}/signed/o", "secret").strip()
    fetched = subprocess.run(["curl", "-sf", base + path], capture_output=True, text=True, check=True)
    assert fetched.stdout == "signed"


def test_library(login: dict[str, str]) -> None:
    connection = swiftclient.Connection(
        authurl=login["OS_AUTH_URL"], user=login["OS_USERNAME"], key=login["OS_PASSWORD"], auth_version="3",
        os_options={"project_name": login["OS_PROJECT_NAME"], "user_domain_name": "Default", "project_domain_name": "Default"},
    )  # fmt: skip
    connection.put_container("library", headers={"X-Container-Meta-Color": "blue"})
    etag = connection.put_object("library", "a/ö", b"hello", headers={"X-Object-Meta-Size": "small"})
    assert etag == hashlib.md5(b"hello").hexdigest()
    headers, body = connection.get_object("library", "a/ö", headers={"Range": "bytes=1-3"})
    assert (body, headers["x-object-meta-size"]) == (b"ell", "small")
    connection.copy_object("library", "a/ö", "/library/b")
    _, listed = connection.get_container("library", full_listing=True)
    assert [entry["name"] for entry in listed] == ["a/ö", "b"]
    connection.post_object("library", "b", {"X-Delete-After": "1"})
    time.sleep(1.1)
    with pytest.raises(ClientException) as missing:
        connection.head_object("library", "b")
    assert missing.value.http_status == 404
    with pytest.raises(ClientException) as full:
        connection.delete_container("library")
    assert full.value.http_status == 409
    assert "slo" in connection.get_capabilities() and "object_versioning" in connection.get_capabilities()


def test_service_library_in_parallel(login: dict[str, str], tmp_path: Path) -> None:
    options = {key.lower(): value for key, value in login.items()} | {"auth_version": "3", "object_uu_threads": 8}
    files = []
    for i in range(40):
        (tmp_path / f"{i}").write_bytes(os.urandom(2000))
        files.append(SwiftUploadObject(str(tmp_path / f"{i}"), object_name=f"many/{i}"))
    with SwiftService(options=options) as service:
        assert all(result["success"] for result in service.upload("parallel", files))
        pages = list(service.list(container="parallel", options={"prefix": "many/"}))
        assert sum(len(page["listing"]) for page in pages) == 40
        assert all(result["success"] for result in service.delete("parallel"))


def test_sdk(cloud: Any, data: Path) -> None:
    store = cloud.object_store
    store.create_container("sdk")
    store.set_container_metadata("sdk", color="green")
    assert store.get_container_metadata("sdk").metadata["color"] == "green"
    cloud.create_object("sdk", "big", filename=str(data), segment_size=SEGMENT, use_slo=True)
    found = store.get_object_metadata("big", container="sdk")
    assert int(found.content_length) == data.stat().st_size
    assert hashlib.md5(store.download_object("big", container="sdk")).hexdigest() == md5(data)
    store.upload_object("sdk", "small", data=b"text")
    assert sorted(entry.name for entry in store.objects("sdk")) == ["big", *(f"big/{i:06}" for i in range(4)), "small"]
    assert store.download_object("small", container="sdk") == b"text"
    key = store.get_temp_url_key("sdk") or "key"
    store.set_container_temp_url_key("sdk", key)
    assert store.generate_temp_url("/v1/a/sdk/small", 60, "GET", temp_url_key=key)
    for entry in list(store.objects("sdk")):
        store.delete_object(entry, container="sdk")
    store.delete_container("sdk")


def test_rclone(login: dict[str, str], data: Path, tmp_path: Path) -> None:
    if not shutil.which("rclone"):
        assert os.environ.get("SYNNEFO_REQUIRE_FULL") != "1", "rclone is not installed (deploy/local/infra/install-packages rclone)"
        pytest.skip("not installed: rclone")
    folder = tmp_path / "folder" / "deep"
    folder.mkdir(parents=True)
    for i in range(5):
        (folder / f"file {i}").write_bytes(os.urandom(5000))
    shutil.copy(data, tmp_path / "folder" / "large")
    env = os.environ | login | {"RCLONE_CONFIG_OURS_TYPE": "swift", "RCLONE_CONFIG_OURS_ENV_AUTH": "true", "RCLONE_CONFIG": str(tmp_path / "none")}

    def rclone(*arguments: str) -> str:
        done = subprocess.run(["rclone", "--swift-chunk-size", "1M", *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    rclone("sync", "folder", "ours:rclone")
    assert (
        "0 differences found"
        in subprocess.run(
            ["rclone", "check", "--download", "folder", "ours:rclone"], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        ).stderr
    )
    (folder / "file 0").unlink()
    rclone("sync", "folder", "ours:rclone")
    assert len(rclone("lsf", "-R", "--files-only", "ours:rclone").splitlines()) == 5
    rclone("purge", "ours:rclone")
