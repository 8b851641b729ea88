"""The optional labeller against a real server in a thread of its own."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from feedback_miner.errors import InputError
from feedback_miner.labeller import LlmLabeller, _is_public
from feedback_miner.stages.label import ThemeLabel, ThemeMembers

pytestmark = pytest.mark.enable_socket

MEMBERS = [
    ThemeMembers(("late again", "parcel came late <PHONE>", "never sent: secret"), ("en",) * 3, (1,) * 3, (0.9,) * 3),
    ThemeMembers(("客服态度差", "客服很凶", "agents are rude"), ("zh", "zh", "en"), (1,) * 3, (0.9,) * 3),
]
LABELS = [
    ThemeLabel({"en": "parcel late"}, {"en": ("parcel late", "late again")}, (0, 1)),
    ThemeLabel({"zh": "客服凶", "en": "agents rude"}, {"zh": ("客服凶",), "en": ("agents rude",)}, (0, 2)),
]

Respond = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Endpoint:
    url: str
    respond: Respond
    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.paths.append(self.path)
            state.keys.append(self.headers["Authorization"])
            state.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            state.respond(self)

        def do_GET(self) -> None:
            state.paths.append(self.path)
            send(self, 200, b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is inherited)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Endpoint(f"http://127.0.0.1:{server.server_port}/v1", lambda handler: send(handler, 200, chat({"themes": []})))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    state.stopped.set()
    server.shutdown()
    server.server_close()
    thread.join()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def chat(content: object) -> bytes:
    text = content if isinstance(content, str) else json.dumps(content)
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def naming(*names: object) -> Respond:
    themes = [{"id": index, "names": given} for index, given in enumerate(names)]
    return lambda handler: send(handler, 200, chat({"themes": themes}))


def labeller(endpoint: Endpoint, **options: Any) -> LlmLabeller:
    return LlmLabeller(endpoint.url, "test-model", **{"allow_private": True, "timeout_s": 5, **options})


def test_renames_themes_and_keeps_the_rest_of_the_label(endpoint: Endpoint) -> None:
    endpoint.respond = naming({"en": "late delivery"}, {"zh": "客服态度差", "en": " rude  agents "})
    asked = labeller(endpoint)
    renamed = asked.rename(LABELS, MEMBERS)
    assert [label.names for label in renamed] == [{"en": "late delivery"}, {"zh": "客服态度差", "en": "rude agents"}]
    assert [(label.keyphrases, label.exemplars) for label in renamed] == [(label.keyphrases, label.exemplars) for label in LABELS]
    assert asked.notes == []
    assert LABELS[0].names == {"en": "parcel late"}


def test_asks_as_promised_and_sends_only_exemplars_and_keyphrases(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_MINER_LABELLER_KEY", "k-123")
    labeller(endpoint).rename(LABELS, MEMBERS)
    assert endpoint.paths == ["/v1/chat/completions"]
    assert endpoint.keys == ["Bearer k-123"]
    [body] = endpoint.bodies
    assert (body["model"], body["temperature"]) == ("test-model", 0)
    sent = json.loads(body["messages"][-1]["content"])["themes"]
    assert [theme["examples"] for theme in sent] == [["late again", "parcel came late <PHONE>"], ["客服态度差", "agents are rude"]]
    assert all(set(theme) == {"id", "languages", "keyphrases", "examples"} for theme in sent)
    assert "secret" not in json.dumps(body)


def test_sends_no_key_when_none_is_set(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEEDBACK_MINER_LABELLER_KEY", raising=False)
    labeller(endpoint).rename(LABELS, MEMBERS)
    assert endpoint.keys == [None]


def test_reports_a_key_that_cannot_be_sent(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "two\nlines")
    asked = labeller(endpoint, api_key_from_env="OTHER_KEY")
    assert asked.rename(LABELS, MEMBERS) == LABELS
    assert "OTHER_KEY" in asked.notes[0]
    assert "lines" not in asked.notes[0]
    assert endpoint.bodies == []


def test_asks_for_further_languages(endpoint: Endpoint) -> None:
    endpoint.respond = naming({"en": "late delivery", "zh": "物流太慢"}, {"en": "rude agents", "zh": "客服态度差", "fr": "agents impolis"})
    renamed = labeller(endpoint).rename(LABELS, MEMBERS, ("zh", "en"))
    assert [label.names for label in renamed] == [{"en": "late delivery", "zh": "物流太慢"}, {"en": "rude agents", "zh": "客服态度差"}]


def test_asks_for_many_themes_in_several_requests(endpoint: Endpoint) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        ids = [theme["id"] for theme in json.loads(endpoint.bodies[-1]["messages"][-1]["content"])["themes"]]
        send(handler, 200, chat({"themes": [{"id": id_, "names": {"en": f"late delivery {id_}"}} for id_ in [*ids, 999]]}))

    endpoint.respond = respond
    labels = [ThemeLabel({"en": f"theme {index}"}, {}, (0,)) for index in range(45)]
    renamed = labeller(endpoint).rename(labels, [MEMBERS[0]] * 45)
    assert [label.names["en"] for label in renamed] == [f"late delivery {index}" for index in range(45)]
    assert len(endpoint.bodies) == 3


def test_asks_nothing_for_no_themes(endpoint: Endpoint) -> None:
    assert labeller(endpoint).rename([], []) == []
    assert endpoint.bodies == []


def test_reads_an_answer_in_a_code_fence(endpoint: Endpoint) -> None:
    content = '```json\n{"themes": [{"id": 0, "names": {"en": "late delivery"}}]}\n```'
    endpoint.respond = lambda handler: send(handler, 200, chat(content))
    assert labeller(endpoint).rename(LABELS, MEMBERS)[0].names == {"en": "late delivery"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "blank"),
        ("   ", "blank"),
        (None, "none given"),
        (["late"], "blank"),
        (7, "blank"),
        ("call <PHONE> late", "placeholder"),
        ("late [BRAND] parcels", "placeholder"),
        ("ask @somebody", "placeholder"),
        ("see https://example.org", "placeholder"),
        ("The parcels arrive late.", "sentence"),
        ("...", "sentence"),
        ("12 34", "no word"),
        ("late\u0007delivery", "unprintable"),
        ("one two three four five six seven", "too long"),
        ("x" * 60, "too long"),
        ("物流太慢", "Chinese"),
        ("agents rude", "another theme"),
        ("Agents RUDE", "another theme"),
    ],
)
def test_keeps_our_name_where_the_answer_is_unusable(endpoint: Endpoint, name: object, reason: str) -> None:
    endpoint.respond = naming({"en": name}, {"zh": "客服态度差", "en": "agents rude"})
    asked = labeller(endpoint)
    renamed = asked.rename(LABELS, MEMBERS)
    assert renamed[0] == LABELS[0]
    assert renamed[1].names == {"zh": "客服态度差", "en": "agents rude"}
    [note] = asked.notes
    assert reason in note
    assert "theme 0" in note


@pytest.mark.parametrize("name", ["rude", "差", "客服的态度实在是差到了极点"])
def test_keeps_our_chinese_name_where_the_answer_is_none(endpoint: Endpoint, name: str) -> None:
    endpoint.respond = naming({"en": "late delivery"}, {"zh": name, "en": "rude agents"})
    renamed = labeller(endpoint).rename(LABELS, MEMBERS)
    assert renamed[1].names == {"zh": "客服凶", "en": "rude agents"}


def test_never_gives_two_themes_one_name(endpoint: Endpoint) -> None:
    endpoint.respond = naming({"en": "bad service"}, {"zh": "服务不好", "en": "bad service"})
    renamed = labeller(endpoint).rename(LABELS, MEMBERS)
    assert [label.names["en"] for label in renamed] == ["bad service", "agents rude"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": null}}]}',
        chat("sorry, I cannot"),
        chat([]),
        chat({"themes": [1]}),
        chat({"themes": [{"id": 0}]}),
        chat({"themes": None}),
        b"[" * 100_000,
    ],
    ids=lambda body: body[:30].decode("ascii", "replace"),
)
def test_reports_a_malformed_answer_once(endpoint: Endpoint, body: bytes) -> None:
    endpoint.respond = lambda handler: send(handler, 200, body)
    asked = labeller(endpoint)
    assert asked.rename(LABELS, MEMBERS) == LABELS
    assert asked.notes == ["labeller: the answer is not the JSON that was asked for; our own names are kept"]


@pytest.mark.parametrize(
    "themes", [[], [{"id": "0", "names": {"en": "late delivery"}}], [{"id": 5, "names": {"en": "late"}}], [{"id": 0, "names": "late"}]]
)
def test_ignores_themes_it_did_not_ask_about(endpoint: Endpoint, themes: list[object]) -> None:
    endpoint.respond = lambda handler: send(handler, 200, chat({"themes": themes}))
    assert labeller(endpoint).rename(LABELS, MEMBERS) == LABELS


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_reports_an_error_status_once_without_the_servers_words(endpoint: Endpoint, status: int) -> None:
    endpoint.respond = lambda handler: send(handler, status, b"secret words of the server")
    asked = labeller(endpoint)
    labels = [ThemeLabel({"en": f"theme {index}"}, {}, (0,)) for index in range(45)]
    assert asked.rename(labels, [MEMBERS[0]] * 45) == labels
    assert asked.notes == [f"labeller: 127.0.0.1 answered {status}; our own names are kept"]
    assert len(endpoint.bodies) == 1


def test_keeps_what_came_before_an_error(endpoint: Endpoint) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        naming({"en": "late delivery"})(handler) if len(endpoint.bodies) == 1 else send(handler, 500, b"")

    endpoint.respond = respond
    asked = labeller(endpoint)
    labels = [ThemeLabel({"en": f"theme {index}"}, {}, (0,)) for index in range(21)]
    renamed = asked.rename(labels, [MEMBERS[0]] * 21)
    assert renamed[0].names == {"en": "late delivery"}
    assert renamed[1:] == labels[1:]
    assert "from theme 20 on" in asked.notes[0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_follows_no_redirect(endpoint: Endpoint, status: int) -> None:
    endpoint.respond = lambda handler: send(handler, status, b"", Location=f"{endpoint.url}/elsewhere")
    asked = labeller(endpoint)
    assert asked.rename(LABELS, MEMBERS) == LABELS
    assert "redirect" in asked.notes[0]
    assert endpoint.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_refuses_private_addresses_before_connecting(endpoint: Endpoint, host: str) -> None:
    asked = LlmLabeller(endpoint.url.replace("127.0.0.1", host), "test-model", timeout_s=5)
    assert asked.rename(LABELS, MEMBERS) == LABELS
    assert "private" in asked.notes[0]
    assert endpoint.bodies == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
    ],
)
def test_tells_public_addresses(address: str, public: bool) -> None:
    assert _is_public(address) is public


def test_sends_no_key_unencrypted_to_a_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_MINER_LABELLER_KEY", "k-123")
    asked = LlmLabeller("http://8.8.8.8/v1", "test-model", timeout_s=1)
    assert asked.rename(LABELS, MEMBERS) == LABELS
    assert "https" in asked.notes[0]


def test_gives_up_on_a_server_that_says_nothing(endpoint: Endpoint) -> None:
    endpoint.respond = lambda handler: endpoint.stopped.wait(30)
    asked = labeller(endpoint, timeout_s=0.3)
    assert asked.rename(LABELS, MEMBERS) == LABELS
    assert asked.notes == ["labeller: 127.0.0.1 did not answer within 0.3 s; our own names are kept"]


@pytest.mark.parametrize("prefix", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_gives_up_on_a_server_that_drips(endpoint: Endpoint, prefix: bytes) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(prefix)
            while not endpoint.stopped.is_set():
                handler.wfile.write(b"H")
                handler.wfile.flush()
                time.sleep(0.02)
        except OSError:
            return

    endpoint.respond = drip
    asked = labeller(endpoint, timeout_s=0.4)
    assert asked.rename(LABELS, MEMBERS) == LABELS
    assert "did not answer within" in asked.notes[0]


def test_refuses_an_endless_answer(endpoint: Endpoint) -> None:
    endpoint.respond = lambda handler: send(handler, 200, b" " * 1_200_000)
    asked = labeller(endpoint)
    assert asked.rename(LABELS, MEMBERS) == LABELS
    assert "more than 1000000 bytes" in asked.notes[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_reports_a_server_that_is_not_there_or_speaks_no_tls(endpoint: Endpoint, scheme: str) -> None:
    url = "http://127.0.0.1:1/v1" if scheme == "http" else endpoint.url.replace("http:", "https:")
    asked = LlmLabeller(url, "test-model", allow_private=True, timeout_s=5)
    assert asked.rename(LABELS, MEMBERS) == LABELS
    assert "could not be asked" in asked.notes[0]


def test_forgets_the_notes_of_an_earlier_run(endpoint: Endpoint) -> None:
    asked = labeller(endpoint)
    endpoint.respond = lambda handler: send(handler, 500, b"")
    asked.rename(LABELS, MEMBERS)
    endpoint.respond = naming({"en": "late delivery"}, {"zh": "客服态度差", "en": "rude agents"})
    asked.rename(LABELS, MEMBERS)
    assert asked.notes == []


@pytest.mark.parametrize(
    ("url", "model", "timeout_s", "says"),
    [
        ("ftp://example.org/v1", "m", 1, "https://"),
        ("file:///etc/hosts", "m", 1, "https://"),
        ("example.org/v1", "m", 1, "https://"),
        ("https:///v1", "m", 1, "host"),
        ("https://example.org:port/v1", "m", 1, "not a URL"),
        ("https://me:word@example.org/v1", "m", 1, "password"),
        ("https://example.org/v1?key=x", "m", 1, "query"),
        ("https://example.org/v 1", "m", 1, "percent"),
        ("https://example.org/v1", " ", 1, "model"),
        ("https://example.org/v1", "m", 0, "positive"),
    ],
)
def test_refuses_options_it_cannot_work_with(url: str, model: str, timeout_s: float, says: str) -> None:
    with pytest.raises(InputError, match=says):
        LlmLabeller(url, model, timeout_s=timeout_s)
