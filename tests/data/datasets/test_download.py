"""Downloads from a local server that serves, fails, stalls, truncates and lies."""

import contextlib
import hashlib
import io
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rich.console import Console

from aiec_graph.data.datasets.cards import Download, read_card
from aiec_graph.data.datasets.download import PARTIAL, download
from aiec_graph.errors import InputError

CONTENT = bytes(range(256)) * 16_384  # larger than what is read at a time
SHA = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        behaviour = server.behaviours.pop(0) if len(server.behaviours) > 1 else server.behaviours[0]
        with contextlib.suppress(OSError):  # the client went away
            getattr(self, behaviour)(server.content)
        self.close_connection = True

    def serve(self, content):
        start = 0
        asked = self.headers.get("Range")
        if asked:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        else:
            self.send_response(200)
        self.finish(content[start:])

    def without_ranges(self, content):
        self.send_response(200)
        self.finish(content)

    def finish(self, body, length=None):
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def cut_off(self, content):
        self.send_response(200)
        self.finish(content[: len(content) // 2], length=len(content))

    def says_less(self, content):
        self.send_response(200)
        self.finish(content, length=len(content) // 2)

    def stall(self, content):
        self.send_response(200)
        self.finish(content[:1000], length=len(content))
        self.wfile.flush()
        time.sleep(3)

    def error_404(self, _):
        self.send_error(404)

    def error_403(self, _):
        self.send_error(403)

    def error_500(self, _):
        self.send_error(500)

    def loop(self, _):
        self.send_response(302)
        self.send_header("Location", self.path)
        self.finish(b"")

    def page(self, _):
        self.send_response(200)
        self.finish(b"<!DOCTYPE html><html>Quota exceeded</html>")

    def log_message(self, *_):
        pass


# The base class has a `finish` of its own, called at the end of each request.
class _Handler(Handler):
    def finish(self, *arguments, **options):
        if arguments:
            Handler.finish(self, *arguments, **options)
        else:
            BaseHTTPRequestHandler.finish(self)


@pytest.fixture
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    httpd.requests, httpd.behaviours, httpd.content = [], ["serve"], CONTENT
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


def card_for(server, sha256=SHA, unpack=None, file="data.bin", file_sha=None, **changes):
    url = f"http://127.0.0.1:{server.server_port}/files/data.bin"
    entry = Download(url, sha256, unpack or {})
    return replace(read_card("reddit"), files={file: file_sha}, downloads=[entry], **changes)


def fetch(card, folder, **options):
    text = io.StringIO()
    options = {"timeout": 1, "retries": 0} | options
    download(card, folder, Console(file=text, width=200), **options)
    return text.getvalue()


def test_fetches_checks_and_leaves_nothing_else(server, tmp_path):
    said = fetch(card_for(server), tmp_path / "new")
    assert (tmp_path / "new" / "data.bin").read_bytes() == CONTENT
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["data.bin"]
    assert said.index("licence") < said.index("data.bin")


def test_a_file_that_is_there_is_left_and_nothing_is_asked(server, tmp_path):
    (tmp_path / "data.bin").write_text("mine")
    assert "there already" in fetch(card_for(server), tmp_path)
    assert (tmp_path / "data.bin").read_text() == "mine"
    assert server.requests == []


def test_terms_must_be_accepted_before_anything_is_asked(server, tmp_path):
    card = card_for(server, terms="For research only.")
    with pytest.raises(InputError, match="For research only.*--accept-licence"):
        fetch(card, tmp_path / "new")
    assert server.requests == []
    assert not (tmp_path / "new").exists()
    fetch(card, tmp_path / "new", accept_licence=True)
    assert (tmp_path / "new" / "data.bin").exists()


FAILURES = ["error_404", "error_403", "error_500", "stall", "loop", "page", "cut_off", "says_less"]


@pytest.mark.parametrize("behaviour", FAILURES)
def test_a_failing_server_is_one_line_that_says_what_to_do(server, tmp_path, behaviour):
    server.behaviours = [behaviour]
    (tmp_path / "other.txt").write_text("mine")
    with pytest.raises(InputError) as error:
        fetch(card_for(server), tmp_path)
    line = str(error.value)
    assert "\n" not in line
    assert card_for(server).downloads[0].url in line
    assert str(tmp_path) in line
    assert not (tmp_path / "data.bin").exists()
    assert (tmp_path / "other.txt").read_text() == "mine"


def test_no_server_at_all(server, tmp_path):
    card = card_for(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match="by hand"):
        fetch(card, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_interrupted_download_goes_on_where_it_stopped(server, tmp_path):
    server.behaviours = ["cut_off", "serve"]
    with pytest.raises(InputError, match="by hand"):
        fetch(card_for(server), tmp_path)
    assert (tmp_path / PARTIAL).is_dir()
    fetch(card_for(server), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    resumed = [asked for _, asked in server.requests if asked]
    assert len(resumed) == 1
    assert 0 < int(resumed[0].removeprefix("bytes=").rstrip("-")) <= len(CONTENT) // 2
    assert not (tmp_path / PARTIAL).exists()


def test_one_call_survives_a_lost_connection(server, tmp_path):
    server.behaviours = ["cut_off", "serve"]
    fetch(card_for(server), tmp_path, retries=1)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_server_that_cannot_resume_starts_from_the_start(server, tmp_path):
    server.behaviours = ["cut_off", "without_ranges"]
    with pytest.raises(InputError):
        fetch(card_for(server), tmp_path)
    fetch(card_for(server), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_file_that_changed_in_between_is_not_joined(server, tmp_path):
    server.behaviours = ["cut_off", "serve"]
    with pytest.raises(InputError):
        fetch(card_for(server), tmp_path)
    server.content = bytes(reversed(CONTENT))
    card = card_for(server, sha256=hashlib.sha256(server.content).hexdigest())
    with pytest.raises(InputError, match="SHA-256"):
        fetch(card, tmp_path)
    assert not (tmp_path / "data.bin").exists()
    fetch(card, tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == server.content


def test_other_content_is_refused_and_removed(server, tmp_path):
    with pytest.raises(InputError, match=f"SHA-256 is {SHA}, expected 00ff"):
        fetch(card_for(server, sha256="00ff"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def zipped(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name.replace("__", "/"), value)
    return content.getvalue()


def test_members_are_unpacked_under_our_own_names(server, tmp_path):
    server.content = zipped(**{"..__..__evil": b"evil", "deep__data.txt": b"good"})
    said = fetch(card_for(server, None, {"deep/data.txt": "mine.txt"}, "mine.txt"), tmp_path / "a")
    assert (tmp_path / "a" / "mine.txt").read_bytes() == b"good"
    assert hashlib.sha256(server.content).hexdigest() in said
    fetch(card_for(server, None, {"evil": "evil"}, "evil"), tmp_path / "b")
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["evil", "mine.txt"]
    assert (tmp_path / "b" / "evil").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(other=b"x"), "holds 0 files named data.txt"),
        (zipped(a__data=b"x", data=b"y")[:-30], "no sound zip"),
        (b"PK\x03\x04 torn", "no sound zip"),
        (zipped(**{"data.txt": b"\0" * 50_000}), "unzips to"),
        (zipped(**{"data.txt": b"wrong"}), "SHA-256"),
    ],
)
def test_faulty_archives(server, tmp_path, monkeypatch, content, message):
    monkeypatch.setattr("aiec_graph.data.datasets.download.MAX_UNZIPPED", 10_000)
    server.content = content
    card = card_for(server, None, {"data.txt": "data.txt"}, "data.txt", file_sha="00")
    with pytest.raises(InputError, match=message):
        fetch(card, tmp_path)
    assert not (tmp_path / "data.txt").exists()


def test_a_card_without_a_download_says_where_to_go(tmp_path):
    with pytest.raises(InputError, match="dgraph.xinye.com"):
        fetch(read_card("dgraphfin"), tmp_path / "dgraphfin")


def test_two_at_once(server, tmp_path):
    from filelock import FileLock

    (tmp_path / PARTIAL).mkdir()
    with FileLock(tmp_path / PARTIAL / "lock"), pytest.raises(InputError, match="another process"):
        fetch(card_for(server), tmp_path)
