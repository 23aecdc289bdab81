"""The Debian mirror comes from the machine's own apt configuration, whatever its style, and nobody else's archive."""

import pytest
from rheobase.errors import HostError
from rheobase.image import apt_mirror, debian

DEBIAN = "http://mirror.example.org/debian"


@pytest.fixture(autouse=True)
def no_override(monkeypatch):
    monkeypatch.delenv(apt_mirror.MIRROR_VARIABLE, raising=False)


def etc(tmp_path, **files):
    """An /etc/apt; `main` is sources.list, others are name_list or name_sources in sources.list.d."""
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    for name, text in files.items():
        path = tmp_path / "sources.list" if name == "main" else parts / name.replace("_", ".")
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "files",
    [
        {"main": f"deb {DEBIAN} bookworm main contrib\n"},
        {"main": f"deb {DEBIAN}/ stable main # the mirror\n"},
        {"main": f"# a comment\n\ndeb [arch=amd64 trusted=no] {DEBIAN} trixie main non-free-firmware\n"},
        {"main": f"deb-src [ signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] {DEBIAN} sid main\n"},
        {"debian_sources": f"Types: deb\nURIs: {DEBIAN}\nSuites: bookworm bookworm-updates\nComponents: main\n"},
        {
            "debian_sources": "# from the installer\nTypes: deb deb-src\n# http://snapshot.example.org/debian\n"
            f"URIs: {DEBIAN}\nSuites: trixie trixie-updates\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
            "Types: deb\nURIs: http://security.example.org/debian-security\nSuites: trixie-security\nComponents: main\n"
        },
        {
            "debian_sources": f"types: deb\nuris:\n# old: http://old.example.org/debian\n {DEBIAN}\n http://b.example.org/debian\n"
            "suites: sid\ncomponents: main\n"
        },
        {
            "a_list": "deb https://apt.example.com bookworm main\n",  # another archive with Debian's words
            "z_list": f"deb {DEBIAN} bookworm main\n",
        },
        {
            "a_sources": "Types: deb\nURIs: https://apt.example.com/debian\nSuites: stable\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/example.gpg\n",
            "z_list": f"deb {DEBIAN} bookworm main\n",
        },
        {
            "a_sources": "Enabled: no\nTypes: deb\nURIs: http://old.example.org/debian\n"
            "Suites: sid\nComponents: main\n\n"
            f"Types: deb\nURIs: {DEBIAN}\nSuites: sid\nComponents: main\n"
        },
        {"main": f"deb cdrom:[Debian 12]/ bookworm main\ndeb {DEBIAN} bookworm main\n"},
        {"b_bak": "deb http://wrong.example.org/debian bookworm main\n", "main": f"deb {DEBIAN} bookworm main\n"},
    ],
)
def test_the_mirror_is_found(tmp_path, files):
    assert apt_mirror.debian_mirror(etc(tmp_path, **files)).rstrip("/") == DEBIAN


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"main": "deb http://archive.example.com/ubuntu noble main universe\n"},
        {"main": "deb http://security.example.org/debian-security bookworm-security main\n"},
        {"main": "#deb http://mirror.example.org/debian bookworm main\n"},
        {"main": "deb cdrom:[Debian 12]/ bookworm main\n"},
        {"a_list": "deb [signed-by=/etc/apt/keyrings/x.gpg] https://apt.example.com bookworm main\n"},
        {"a_sources": "garbage without a colon\n\n: : :\n"},
    ],
)
def test_no_mirror_is_a_sentence_with_a_way_out(tmp_path, files):
    with pytest.raises(HostError) as caught:
        apt_mirror.debian_mirror(etc(tmp_path, **files))
    assert caught.value.exit_code == 8
    assert "rheo image fetch" in caught.value.hint


def test_a_mirror_named_by_the_user_goes_first(tmp_path, monkeypatch):
    monkeypatch.setenv(apt_mirror.MIRROR_VARIABLE, "http://mine.example.org/debian")
    assert apt_mirror.debian_mirror(etc(tmp_path)) == "http://mine.example.org/debian"


def test_the_private_configuration_shares_nothing_with_the_system(tmp_path):
    config = debian.private_config(DEBIAN, tmp_path, tmp_path / "key.gpg").read_text()
    for setting in ("Dir::State::lists", "Dir::Cache", "Dir::Cache::archives", "Dir::Etc::sourcelist"):
        assert f'{setting} "{tmp_path}/' in config
    sources = (tmp_path / "private.sources").read_text()
    assert f"Signed-By: {tmp_path}/key.gpg" in sources
    assert "Suites: trixie\n" in sources and "Trusted" not in sources
    assert "Post-Invoke" in config and "#clear" in config


def test_without_debians_keyring_nothing_is_fetched(tmp_path):
    with pytest.raises(HostError, match="cannot be verified"):
        debian.keyring(tmp_path)
    (tmp_path / "debian-archive-keyring.gpg").touch()
    assert debian.keyring(tmp_path).name == "debian-archive-keyring.gpg"
