"""State folders, remembered ports and passwords, and the settings made from them."""

import tomllib
from pathlib import Path

import pytest

from synnefo_local.client_files import clouds, openrc
from synnefo_local.etc_files import embedded_backends, sections, write_settings
from synnefo_local.layout import (
    MARKER,
    SERVICES,
    WELL_KNOWN,
    Layout,
    LocalError,
    claim,
    remember,
    remove,
    service_ports,
    state_root,
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state", "embedded")
    made.create()
    return made


def test_a_folder_with_other_things_in_it_is_neither_taken_nor_deleted(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(LocalError, match="not a Synnefo state folder"):
        claim(tmp_path)
    with pytest.raises(LocalError, match="left alone"):
        remove(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_clean_removes_the_state_and_can_be_repeated(layout: Layout) -> None:
    assert remove(layout.root) is True
    assert not layout.root.exists()
    assert remove(layout.root) is False


def test_clean_deletes_a_link_and_not_what_it_points_to(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("x")
    (layout.data / "link").symlink_to(tmp_path / "precious")
    (layout.root / "link").symlink_to(tmp_path / "precious")
    remove(layout.root)
    assert (tmp_path / "precious/file").exists()


def test_marker_goes_last_so_that_a_removal_cut_short_can_be_repeated(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", cut_short)
    with pytest.raises(KeyboardInterrupt):
        remove(layout.root)
    assert (layout.root / MARKER).exists()


def test_passwords_and_ports_are_chosen_once(layout: Layout) -> None:
    first = remember(layout, environ={})
    assert remember(layout, environ={}) == first
    assert len(set(first["passwords"].values())) == len(first["passwords"])


def test_port_base_moves_every_port_and_is_remembered(layout: Layout) -> None:
    ports = service_ports(remember(layout, environ={"SYNNEFO_PORT_BASE": "21000"}))
    assert ports == dict(zip(WELL_KNOWN, range(21000, 21009), strict=True))
    assert service_ports(remember(layout, environ={})) == ports


def test_design_order_of_offsets() -> None:
    ports = service_ports({"port_base": 100})
    assert [ports[name] for name in ("identity", "compute", "network", "image", "volume", "object")] == [
        *range(100, 106)
    ]
    assert (ports["dispatcher"], ports["metadata"], ports["console"]) == (106, 107, 108)


def test_settings_are_valid_toml_with_a_section_per_component(layout: Layout) -> None:
    memory = remember(layout, environ={})
    write_settings(layout, memory, embedded_backends(layout))
    files = sorted(layout.etc.glob("*.toml"))
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * (1 + len(SERVICES))
    read = {key: value for path in files for key, value in tomllib.loads(path.read_text()).items()}
    assert read == sections(memory, embedded_backends(layout))
    bootstrap = read["identity"]["bootstrap"]["service_passwords"]
    for name in set(SERVICES) - {"identity"}:
        assert bootstrap[name] == read[name]["service_password"]


def test_rewriting_the_settings_leaves_a_users_own_file_alone(layout: Layout) -> None:
    memory = remember(layout, environ={})
    (layout.etc / "90-local.toml").write_text("[common]\nlog_level = 'DEBUG'\n")
    write_settings(layout, memory, embedded_backends(layout))
    write_settings(layout, memory, embedded_backends(layout))
    assert (layout.etc / "90-local.toml").read_text() == "[common]\nlog_level = 'DEBUG'\n"
    assert sorted(layout.etc.glob("*.toml"))[-1].name == "90-local.toml"


def test_clouds_name_the_three_users_with_their_own_passwords(layout: Layout) -> None:
    memory = remember(layout, environ={"SYNNEFO_PORT_BASE": "21000"})
    made = clouds(memory)
    assert set(made) == {"admin", "demo", "alt_demo"}
    assert made["demo"]["auth"]["auth_url"] == "http://127.0.0.1:21000/v3"
    assert made["alt_demo"]["auth"]["password"] == memory["passwords"]["alt_demo"] != memory["passwords"]["demo"]
    assert "OS_CLIENT_CONFIG_FILE=" in openrc(layout)


def test_state_root_follows_the_environment(tmp_path: Path) -> None:
    assert state_root({"SYNNEFO_STATE": str(tmp_path)}) == tmp_path
    assert state_root({}).name == ".synnefo"
