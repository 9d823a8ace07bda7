"""The example's bot as a process, between a Bot API server and the example's API.

test ─▶ Telegram (a thread here) ◀─ bot (process) ─▶ API (process) ─▶ PostgreSQL
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx
import psycopg
import pytest
from dnd_helper_bot import cards, health, settings
from dnd_helper_bot.texts import BUILT_IN, Texts, from_rows

from examples.postgres import free_port
from tests.support.forks import Running
from tests.support.http_server import in_a_thread
from tests.support.postgres import CURRENT, running_server
from tests.support.preloaded import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "dnd-helper"
TOKEN = "123456:a-token-that-lives-for-a-test"
MONSTERS = ["adult-red-dragon", "dire-wolf", "goblin", "hobgoblin", "tarrasque", "wolf"]
SPELLS = ["fireball", "fire-bolt", "shield"]
ANSWER_TIMEOUT_SECONDS = 120.0  # generous: the machine may be busy with other work
SECRET = "a secret"

Record = dict[str, Any]


def seeds(name: str) -> Any:
    """Return the content of one seed file."""
    path = EXAMPLE / "seeds" / f"seed_data_{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


class Telegram:
    """As much of a Bot API server as the bot asks for; what it sends is kept in `sent`."""

    def __init__(self) -> None:
        self.updates: queue.Queue[Record] = queue.Queue()
        self.sent: queue.Queue[Record] = queue.Queue()
        self.polled = threading.Event()
        self.numbers = iter(range(1, 10_000))
        self.closing = False
        telegram = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                head, method = self.path.rsplit("/", 1)
                known = head == f"/bot{TOKEN}"
                answer = telegram.answer(method, dict(parse_qsl(body))) if known else None
                self.reply(200 if known else 401, answer)

            def reply(self, status: int, result: Any) -> None:
                ok = {"ok": True, "result": result}
                bad = {"ok": False, "error_code": status, "description": "Unauthorized"}
                body = json.dumps(ok if status == 200 else bad).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except BrokenPipeError:  # the bot was stopped during its long poll
                    pass

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, method: str, sent: dict[str, str]) -> Any:
        """Return the result of one method."""
        if method == "getMe":
            return {"id": 123456, "is_bot": True, "first_name": "Helper", "username": "dnd_bot"}
        if method == "getUpdates":
            self.polled.set()
            return self.next_updates(float(sent["timeout"]))
        if method == "sendMessage":
            self.sent.put(dict(sent))
            number = next(self.numbers)
            return {"message_id": number, "date": 0, "chat": CHAT, "text": sent["text"]}
        return True

    def next_updates(self, seconds: float) -> list[Record]:
        """One update, or none after a long poll."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.closing:
            try:
                return [self.updates.get(timeout=0.1)]
            except queue.Empty:
                continue
        return []

    def write(self, text: str, user: int = 1, language: str = "en") -> Record:
        """Somebody writes to the bot; what it answers.

        Returns:
            What the bot sent: `text`, `parse_mode`, `reply_markup` and so on, all as strings.
        """
        length = len(text.partition(" ")[0])
        message = {
            "message_id": next(self.numbers),
            "date": 0,
            "chat": CHAT,
            "from": person(user, language),
            "text": text,
            "entities": [{"type": "bot_command", "offset": 0, "length": length}],
        }
        self.updates.put({"update_id": next(self.numbers), "message": message})
        return self.sent.get(timeout=ANSWER_TIMEOUT_SECONDS)

    def press(self, data: str, user: int = 1) -> Record:
        """Somebody presses a button of the bot's; what it answers."""
        pressed = {
            "id": str(next(self.numbers)),
            "from": person(user, "en"),
            "chat_instance": "1",
            "data": data,
            "message": {"message_id": next(self.numbers), "date": 1, "chat": CHAT, "text": "…"},
        }
        self.updates.put({"update_id": next(self.numbers), "callback_query": pressed})
        return self.sent.get(timeout=ANSWER_TIMEOUT_SECONDS)


CHAT = {"id": 7, "type": "private", "first_name": "Ann"}


def person(user: int, language: str) -> Record:
    """Somebody whose telephone speaks `language`."""
    return {"id": user, "is_bot": False, "first_name": "Ann", "language_code": language}


def clean_environment(**added: str) -> dict[str, str]:
    """Return this process's environment without variables that would change the programs' settings."""
    unwanted = ("REDIS", "BOT_", "API_", "POSTGRES_", "DATABASE_", "LOG_", "TELEGRAM_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    return kept | added


@contextmanager
def process(log: Path, folder: str, module: str, **environment: str) -> Iterator[Running]:
    """Start a program of the example; stop it at the end."""
    call = Call([], clean_environment(**environment), str(EXAMPLE / folder), module)
    with log.open("w", encoding="utf-8") as output, Running(call, output) as started:
        yield started
        started.kill()


def eventually(holds: Callable[[], bool], log: Path) -> None:
    """Wait until `holds`; fail with the program's log otherwise."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(
                f"waited for {ANSWER_TIMEOUT_SECONDS} s in vain:\n{log.read_text(encoding='utf-8')}"
            )
        time.sleep(0.02)


@contextmanager
def running_telegram() -> Iterator[Telegram]:
    """Run a Bot API server on loopback."""
    telegram = Telegram()
    with in_a_thread(telegram.server):
        try:
            yield telegram
        finally:
            telegram.closing = True


@dataclass
class Bot:
    """The bot's process, with a Telegram of its own."""

    telegram: Telegram
    process: Running
    log: Path

    def polls(self) -> Telegram:
        """Its Telegram, as soon as it asks for updates there."""
        stopped = self.process.poll
        eventually(lambda: self.telegram.polled.is_set() or stopped() is not None, self.log)
        assert stopped() is None, self.said()
        return self.telegram

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(encoding="utf-8")


@contextmanager
def running_bot(log: Path, api: str, **environment: str) -> Iterator[Bot]:
    """Start the bot, which begins to poll."""
    with running_telegram() as telegram:
        addresses = {"API_BASE_URL": api, "TELEGRAM_API_BASE_URL": telegram.url}
        named = {"BOT_TOKEN": TOKEN, **addresses, **environment}
        with process(log, "bot", "dnd_helper_bot.main", **named) as started:
            yield Bot(telegram, started, log)


@contextmanager
def running_api(folder: Path, port: int) -> Iterator[None]:
    """Run the example's API with some of the seeds."""
    with running_server(CURRENT) as server:
        database = server.url()
        named = {"DATABASE_URL": database, "API_HOST": "127.0.0.1", "API_PORT": str(port)}
        migrate(named)
        log, url = folder / "api.log", f"http://127.0.0.1:{port}"
        with process(log, "api", "dnd_helper_api.main", **named):
            seed_texts(database)
            eventually(lambda: answers(f"{url}/health"), log)
            seed_records(url)
            yield


def migrate(named: dict[str, str]) -> None:
    """Bring the database to the head of the API's revisions."""
    migrated = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=EXAMPLE / "api",
        env=clean_environment(**named),
        check=False,
        capture_output=True,
        text=True,
    )
    assert migrated.returncode == 0, migrated.stderr


@dataclass
class Stack:
    """The API's address, and bots in several situations."""

    api: str
    bot: Bot
    without_api: Bot
    without_redis: Bot
    refused: Bot


@pytest.fixture(scope="module", name="stack")
def _stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All started side by side."""
    folder = tmp_path_factory.mktemp("bot")
    port = free_port()
    api, nowhere = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    redis = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(free_port()), "REDIS_PASSWORD": SECRET}
    with (
        running_bot(folder / "bot.log", api) as bot,
        running_bot(folder / "no-api.log", nowhere) as without_api,
        running_bot(folder / "no-redis.log", nowhere, LOG_JSON="true", **redis) as without_redis,
        running_bot(folder / "refused.log", nowhere, BOT_TOKEN="1:another") as refused,
        running_api(folder, port),
    ):
        yield Stack(api, bot, without_api, without_redis, refused)


@pytest.fixture(scope="module", name="telegram")
def _telegram(stack: Stack) -> Telegram:
    """Telegram, with the bot and the API behind it."""
    return stack.bot.polls()


def answers(url: str) -> bool:
    """Whether something answers 200 there."""
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def seed_texts(database: str) -> None:
    """Texts go straight into their tables."""
    for name, table in (("ui", "ui_translations"), ("enums", "enum_translations")):
        rows = seeds(name)[table]
        columns = list(rows[0])
        places = ", ".join(["%s"] * len(columns))
        with psycopg.connect(database) as connection:
            connection.cursor().executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})".encode(),
                [tuple(row.values()) for row in rows],
            )


def seed_records(url: str) -> None:
    """Monsters and spells go through the API."""
    for kind, slugs in (("monster", MONSTERS), ("spell", SPELLS)):
        document = seeds(f"{kind}s")
        for record in document[f"{kind}s"]:
            if record["slug"] in slugs:
                record.pop("habitat_slug", None)
                record["translations"] = {
                    text["lang"]: without(text, f"{kind}_slug", "lang")
                    for text in document[f"{kind}_translations"]
                    if text[f"{kind}_slug"] == record["slug"]
                }
                httpx.post(f"{url}/{kind}s", json=record).raise_for_status()


def without(record: Record, *names: str) -> Record:
    """Return the record without some of its fields."""
    return {name: value for name, value in record.items() if name not in names}


def test_start_greets_and_offers_languages(telegram: Telegram) -> None:
    """The greeting is the one of the API, with a button for each language."""
    answer = telegram.write("/start")
    assert answer["text"] == BUILT_IN["bot", "start"]
    [buttons] = json.loads(answer["reply_markup"])["inline_keyboard"]
    assert [button["callback_data"] for button in buttons] == ["lang:en", "lang:ru"]


def test_a_chosen_language_is_remembered(telegram: Telegram) -> None:
    """By command and by button, for one person and not for another."""
    assert telegram.write("/start ru", user=2)["text"] == "Теперь говорю по-русски."
    assert "Приветствую" in telegram.write("/start", user=2)["text"]
    assert "Well met" in telegram.write("/start", user=3)["text"]
    assert telegram.press("lang:en", user=2)["text"] == "From now on I speak English."
    assert "Well met" in telegram.write("/start", user=2)["text"]


def test_the_language_of_the_telephone_comes_first(telegram: Telegram) -> None:
    """Nobody has to choose what is known already; a language without texts is English."""
    assert "Приветствую" in telegram.write("/start", user=4, language="ru")["text"]
    assert "Well met" in telegram.write("/start", user=5, language="fi")["text"]


def test_an_unknown_language_is_named_with_the_known_ones(telegram: Telegram) -> None:
    """`/start xx` says what there is."""
    assert telegram.write("/start xx")["text"].endswith("en, ru")


def test_a_monster_is_a_card(telegram: Telegram) -> None:
    """Name, numbers, description, actions; in the formatting that Telegram is told of."""
    answer = telegram.write("/monster Goblin")
    assert answer["parse_mode"] == "HTML"
    lines = answer["text"].split("\n")
    assert lines[:6] == [
        "<b>Goblin</b>",
        "<i>Small, Humanoid, neutral evil</i>",
        "",
        "AC 15 · HP 7 (2d6)",
        "Speed 30 ft.",
        "Challenge 1/4 (50 XP)",
    ]
    assert "STR 8 · DEX 14" in lines[6]
    assert "<b>Nimble Escape.</b>" in answer["text"]
    assert "<u>Actions</u>" in answer["text"]


def test_the_longest_monster_fits_a_message(telegram: Telegram) -> None:
    """Telegram takes 4096 characters."""
    for language in ("en", "ru"):
        user = {"en": 10, "ru": 11}[language]
        answer = telegram.write("/monster tarrasque", user=user, language=language)
        assert 1000 < len(answer["text"]) <= 4096


def test_a_monster_in_russian(telegram: Telegram) -> None:
    """Labels, terms and numbers are translated, not the name alone."""
    text = telegram.write("/monster гоблин", user=12, language="ru")["text"]
    assert text.startswith("<b>Гоблин</b>\n<i>Маленький, Гуманоид, нейтрально-злой</i>")
    assert "КД 15 · Хиты 7 (2к6)" in text
    assert "Скорость 30 фт." in text


def test_a_russian_name_is_understood_in_an_english_chat(telegram: Telegram) -> None:
    """And answered in the language it was asked in."""
    assert telegram.write("/spell щит")["text"].startswith("<b>Щит</b>")


def test_a_spell_is_a_card(telegram: Telegram) -> None:
    """School, level, cost, description."""
    text = telegram.write("/spell fireball")["text"]
    assert text.startswith(
        "<b>Fireball</b>\n<i>Evocation, level 3</i>\n\nCasting time: 1 action\nRange: 150 ft.\n"
        "Duration: instantaneous\nComponents: V, S, M\n\n"
    )
    assert "cantrip" in telegram.write("/spell fire bolt")["text"]


def test_several_matches_are_a_list_to_choose_from(telegram: Telegram) -> None:
    """Each match is a button, and the button leads to its card."""
    answer = telegram.write("/monster wol")
    assert "Several match “wol”" in answer["text"]
    rows = json.loads(answer["reply_markup"])["inline_keyboard"]
    found = {button["text"]: button["callback_data"] for [button] in rows}
    assert found.items() >= {"Wolf": "monster:wolf", "Dire Wolf": "monster:dire-wolf"}.items()
    assert telegram.press(found["Dire Wolf"])["text"].startswith("<b>Dire Wolf</b>")


def test_nothing_found_is_said_kindly_and_escaped(telegram: Telegram) -> None:
    """What people type cannot break the message."""
    text = telegram.write("/monster <b>& co")["text"]
    assert text == "Nothing goes by the name “&lt;b&gt;&amp; co”. Perhaps another spelling?"


def test_a_name_is_asked_for(telegram: Telegram) -> None:
    """A command without its name, and a message without a command, are answered too."""
    assert "/monster owlbear" in telegram.write("/monster")["text"]
    assert "/spell shield" in telegram.write("/spell  ")["text"]
    assert telegram.write("hello")["text"] == BUILT_IN["bot", "help"]


def test_a_very_long_name_is_looked_up_all_the_same(telegram: Telegram) -> None:
    """The API takes a hundred characters; more must not look as if it were away."""
    assert "Nothing goes by" in telegram.write(f"/monster {'x' * 300}")["text"]


def test_the_api_is_away(stack: Stack) -> None:
    """The bot starts, greets in English, says that the library is closed, and stops at once."""
    telegram = stack.without_api.polls()
    assert telegram.write("/start", language="ru")["text"] == BUILT_IN["bot", "start"]
    for text in ("/monster goblin", "/spell shield"):
        assert telegram.write(text)["text"] == BUILT_IN["bot", "away"]
    stack.without_api.process.send_signal(signal.SIGTERM)
    assert (
        stack.without_api.process.wait(timeout=8) == 0
    )  # less than a poll, and than the time after which Docker kills


def test_redis_is_away(stack: Stack) -> None:
    """Whoever asks hears something, and the password is in no log."""
    telegram = stack.without_redis.polls()
    assert telegram.write("/start")["text"] == BUILT_IN["bot", "away"]
    log = stack.without_redis.said()
    assert any("redis" in json.loads(line).get("exception", "") for line in log.splitlines())
    assert SECRET not in log


def test_a_refused_token_stops_the_bot_in_one_line(stack: Stack) -> None:
    """No traceback, the variable's name, never its value."""
    assert stack.refused.process.wait(timeout=ANSWER_TIMEOUT_SECONDS) == 1
    log = stack.refused.said()
    assert log.splitlines()[-1].startswith("Telegram refuses BOT_TOKEN")
    assert "Traceback" not in log
    assert "1:another" not in log


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"BOT_TOKEN": "", "API_BASE_URL": ""}, "settings: set BOT_TOKEN, API_BASE_URL\n"),
        ({"BOT_TOKEN": "nonsense"}, "settings: BOT_TOKEN is not a token (digits, a colon, more)\n"),
        (
            {"API_BASE_URL": "api:8000"},
            "settings: API_BASE_URL is not an address (http or https://…)\n",
        ),
    ],
)
def test_wrong_settings_stop_the_bot_in_one_line(
    changed: dict[str, str], said: str, tmp_path: Path
) -> None:
    """Before anything is contacted, and without the value."""
    log = tmp_path / "bot.log"
    named = {"BOT_TOKEN": TOKEN, "API_BASE_URL": "http://api", **changed}
    with process(log, "bot", "dnd_helper_bot.main", **named) as bot:
        assert bot.wait(timeout=ANSWER_TIMEOUT_SECONDS) == 1
    assert log.read_text(encoding="utf-8") == said


def test_settings_from_files(tmp_path: Path) -> None:
    """As Compose's secrets come; a password may hold every character."""
    (tmp_path / "token").write_text("1:x\n")
    (tmp_path / "password").write_text("p@ss:w/rd #1%\n")
    loaded = settings.load(
        {
            "BOT_TOKEN_FILE": str(tmp_path / "token"),
            "API_BASE_URL": "http://api:8000/",
            "REDIS_HOST": "redis",
            "REDIS_PASSWORD_FILE": str(tmp_path / "password"),
        }
    )
    assert loaded.token == "1:x"
    assert loaded.api == "http://api:8000"
    assert loaded.redis == "redis://:p%40ss%3Aw%2Frd%20%231%25@redis:6379/0"
    assert "p%40ss" not in repr(loaded)
    with pytest.raises(settings.SettingsError, match="both BOT_TOKEN and BOT_TOKEN_FILE"):
        settings.load({"BOT_TOKEN": "1:x", "BOT_TOKEN_FILE": "x", "API_BASE_URL": "http://api"})


def test_health_names_what_is_away(stack: Stack) -> None:
    """Healthy with the API alone where no Redis is configured."""
    assert health.check(settings.Settings("1:x", stack.api)) == []
    away = f"127.0.0.1:{free_port()}"
    faults = health.check(settings.Settings("1:x", f"http://{away}", redis=f"redis://{away}/0"))
    assert [fault.partition(":")[0] for fault in faults] == ["Redis", "API"]


def test_built_in_words_are_those_of_the_seeds() -> None:
    """Without the API the bot says the same, in English."""
    english = {
        (row["namespace"], row["key"]): row["text"]
        for row in seeds("ui")["ui_translations"]
        if row["lang"] == "en"
    }
    assert {key: english.get(key) for key in BUILT_IN} == BUILT_IN
    assert {key[0] for key in english.keys() - BUILT_IN.keys()} == {"term"}


def test_every_term_on_a_card_has_a_translation() -> None:
    """Alignments, casting times, ranges and durations of the seeds, in both languages."""
    used = {record["alignment"] for record in seeds("monsters")["monsters"]}
    for spell in seeds("spells")["spells"]:
        used |= {spell["casting_time"], spell["duration"]}
        used |= set() if spell["range"].endswith(" feet") else {spell["range"]}
    for lang in ("en", "ru"):
        rows = [row for row in seeds("ui")["ui_translations"] if row["lang"] == lang]
        assert used <= {row["key"] for row in rows if row["namespace"] == "term"}


def test_a_card_escapes_every_value() -> None:
    """Data is edited by hand, and a stray `<` must not cost the answer."""
    texts = from_rows([], [{"enum_type": "size", "enum_value": "tiny", "label": "<tiny>"}])
    monster = {"slug": "x", "name": "<x>", "size": "tiny", "type": "a&b", "ac": 1, "hp": 2}
    monster["traits"] = [{"name": "<t>", "text": "1 < 2"}]
    assert cards.monster_card(monster, texts) == (
        "<b>&lt;x&gt;</b>\n<i>&lt;tiny&gt;, a&amp;b</i>\n\nAC 1 · HP 2\n\n"
        "<u>Traits</u>\n<b>&lt;t&gt;.</b> 1 &lt; 2"
    )
    assert Texts({("bot", "help"): "{broken <b>"}).say("bot", "help") == "{broken &lt;b&gt;"


@pytest.mark.parametrize(("rating", "written"), [(0.125, "1/8"), (0.5, "1/2"), (17.0, "17")])
def test_challenge_as_players_write_it(rating: float, written: str) -> None:
    """Ratings below one are fractions."""
    assert cards.challenge(rating) == written
