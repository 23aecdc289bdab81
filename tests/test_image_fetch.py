"""The official image: verified or not used, and every way a download fails is a sentence with exit status 8."""

import hashlib
import http.server
import socket
import threading

import pytest
from rheobase.errors import HostError, UsageError
from rheobase.image import choose, info, official, uf2

NAME, PINNED = "RPI_PICO-test.uf2", "9.9.9"
FILE = uf2.from_bin(bytes(range(255)) * 100)
SHA256 = hashlib.sha256(FILE).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves FILE; the path says what goes wrong."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []

    def do_GET(self):
        Server.asked.append(self.path)
        kind = self.path.split("/")[1]
        if kind == "missing":
            self.send_error(404)
            return
        if kind == "moved":
            self.send_response(302)
            self.send_header("Location", "/good/" + NAME)
            self.end_headers()
            return
        if kind == "chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"1000\r\n" + FILE[:1024])
            self.close_connection = True
            return
        body = {"changed": FILE[:40] + b"!" + FILE[41:], "endless": bytes(5 << 20)}.get(kind, FILE)
        self.send_response(200)
        if kind != "unsized":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if kind in ("cut", "unsized") else body)
        self.close_connection = True

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/"
        listening.shutdown()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RHEO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(official.HASH_VARIABLE, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(official.PINS, PINNED, (NAME, SHA256))
    Server.asked.clear()


def fetch(base_url, **named):
    said = []
    return official.fetch(PINNED, said.append, base_url, **named), said


@pytest.mark.parametrize("way", ["good", "moved"])
def test_a_good_file_is_kept_and_not_fetched_again(server, way):
    image, said = fetch(server + way + "/")
    assert image.path.read_bytes() == FILE
    assert image.bin_path.read_bytes() == uf2.to_bin(FILE)
    assert (image.sha256, image.micropython, image.board) == (SHA256, PINNED, "RPI_PICO")
    assert image.firmware_hash is None and not image.frozen
    assert "official" in image.origin and any("Fetching" in s for s in said)
    asked = len(Server.asked)
    again, said = fetch(server + way + "/")
    assert again.path == image.path and said == [] and len(Server.asked) == asked


@pytest.mark.parametrize(
    ("way", "code", "says"),
    [
        ("missing", "fetch_failed", "404"),
        ("cut", "fetch_cut_short", f"{len(FILE) // 2} of {len(FILE)} bytes"),
        ("chunked", "fetch_cut_short", "connection ended"),
        ("unsized", "wrong_hash", SHA256),  # cut short with no length to tell
        ("changed", "wrong_hash", SHA256),
        ("endless", "fetch_too_long", "longer"),
    ],
)
def test_a_bad_download_is_not_used_and_leaves_nothing(server, way, code, says):
    with pytest.raises(HostError) as caught:
        fetch(server + way + "/")
    assert caught.value.code == code
    assert caught.value.exit_code == 8
    assert says in caught.value.message
    assert caught.value.hint
    assert not list(info.images_dir().glob("*"))


def test_no_network_is_a_sentence_that_says_what_else_can_be_done():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refused at once
        with pytest.raises(HostError) as caught:
            fetch(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert caught.value.code == "no_network"
    assert "downloads" in caught.value.hint and "rheo image build" in caught.value.hint


def test_a_file_brought_by_hand_is_taken_after_the_same_check(tmp_path):
    by_hand = tmp_path / "cache" / "downloads" / NAME
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(FILE[:-512])
    with pytest.raises(HostError, match="SHA-256"):
        fetch("http://127.0.0.1:9/")
    by_hand.write_bytes(FILE)
    image, _ = fetch("http://127.0.0.1:9/")
    assert image.path.read_bytes() == FILE


def test_without_a_hash_nothing_is_fetched(server, monkeypatch):
    monkeypatch.setitem(official.PINS, PINNED, (NAME, None))
    with pytest.raises(HostError) as caught:
        fetch(server + "good/")
    assert caught.value.code == "no_pin" and caught.value.exit_code == 8
    assert official.HASH_VARIABLE in caught.value.hint
    assert Server.asked == []


def test_a_hash_from_the_user_serves_only_where_the_table_has_none(server, monkeypatch):
    monkeypatch.setenv(official.HASH_VARIABLE, "0" * 64)
    assert fetch(server + "good/")[0].sha256 == SHA256  # the table's hash wins
    monkeypatch.setitem(official.PINS, PINNED, (NAME, None))
    with pytest.raises(HostError, match="expected 0000"):
        fetch(server + "good/")
    monkeypatch.setenv(official.HASH_VARIABLE, SHA256.upper())
    assert fetch(server + "good/")[0].sha256 == SHA256


def test_what_is_no_hash_and_what_is_no_version_are_usage_errors(server, monkeypatch):
    monkeypatch.setitem(official.PINS, PINNED, (NAME, None))
    with pytest.raises(UsageError, match="not a SHA-256"):
        fetch(server, sha256="yes")
    with pytest.raises(UsageError, match=r"0\.1"):
        official.fetch("0.1")


def test_every_pin_is_a_file_of_its_version_with_a_whole_hash_or_none():
    for version, (name, digest) in official.PINS.items():
        if version == PINNED:
            continue
        assert name.startswith("RPI_PICO-") and name.endswith(f"-v{version}.uf2")
        assert digest is None or (len(digest) == 64 and int(digest, 16))


def test_a_fetched_image_serves_a_board_that_cannot_be_built(server, monkeypatch):
    fetch(server + "good/")
    monkeypatch.setattr(choose, "_debian_possible", lambda: False)
    image = choose.ensure("RHEO_PICO")
    assert image.board == "RPI_PICO"
    assert "deployed as files" in image.why
