"""The files that `spendtop deploy` prints are what their readers take."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread

import httpx
import pytest
import yaml  # type: ignore[import-untyped]

from spendtop.__main__ import main
from spendtop.cli.setup.deploy import FILES
from tests.waiting import DEADLINE, eventually

ROOT = Path(__file__).parents[3]


def printed(capsys: pytest.CaptureFixture[str], kind: str, *options: str) -> str:
    assert main(["deploy", kind, *options]) == 0
    return capsys.readouterr().out


TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def checked(tool: str, *arguments: str | Path) -> str:
    """What a checker says of a file; it has to be content."""
    found = shutil.which(tool, path=TOOLS)
    assert found is not None
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=DEADLINE)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool, path=TOOLS) is None, reason=f"{tool} is not installed")


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.replaces("credit/cloud-run")
def test_every_file_says_where_it_goes_and_runs_as_nobody_special(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, kind)
    assert text.startswith("# ")
    assert "$program" not in text
    marks = {
        "systemd": "DynamicUser=yes",
        "backup-service": "DynamicUser=yes",
        "backup-timer": "OnCalendar",
        "docker": "USER 10001",
        "compose": "cap_drop",
        "cloudrun": "minScale",
        "nginx": "ssl_certificate",
    }
    assert marks[kind] in text
    assert "#[" not in text


@pytest.mark.parametrize("kind", ["systemd", "backup-service", "docker", "compose", "cloudrun"])
def test_what_passes_an_old_env_through_switches_old_names_on(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "SPENDTOP_OLD_NAMES" in printed(capsys, kind)


@pytest.mark.parametrize("kind", ["docker", "compose", "cloudrun"])
def test_containers_are_watched_by_health(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "/health" in printed(capsys, kind)


def test_an_unknown_kind_is_named_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "kubernetes"]) == 2
    assert "systemd, backup-service, backup-timer, docker, compose, cloudrun, nginx" in capsys.readouterr().err


def test_port_and_name_come_from_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    Path("spendtop.toml").write_text('[server]\npublic_url = "https://llm.example.net"\nport = 8123\n')
    Path("spendtop.toml").chmod(0o600)
    text = printed(capsys, "nginx")
    assert "server_name llm.example.net;" in text
    assert "proxy_pass http://127.0.0.1:8123;" in text


def test_all_templates_are_in_the_wheel() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert built["packages"] == ["src/spendtop"]
    folder = ROOT / "src" / "spendtop" / "cli" / "setup" / "deployments"
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES.values())


def test_without_a_domain_there_is_one_service_on_a_local_port(capsys: pytest.CaptureFixture[str]) -> None:
    plain, whole = (yaml.safe_load(printed(capsys, "compose", *words)) for words in (["--plain"], []))
    assert (list(plain["services"]), list(whole["services"])) == (["spendtop"], ["spendtop", "tls"])
    assert plain["services"]["spendtop"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "DOMAIN" not in printed(capsys, "compose", "--plain")
    assert main(["deploy", "docker", "--plain"]) == 2


def variables(capsys: pytest.CaptureFixture[str]) -> set[str]:
    (container,) = yaml.safe_load(printed(capsys, "cloudrun"))["spec"]["template"]["spec"]["containers"]
    return {variable["name"] for variable in container["env"]}


def test_cloud_run_asks_for_the_secrets_of_what_is_configured(capsys: pytest.CaptureFixture[str]) -> None:
    always = {"SPENDTOP_OLD_NAMES", "SPENDTOP_DATABASE__URL", "SPENDTOP_SERVER__API_KEY"}
    assert variables(capsys) == always
    Path(".env").write_text(
        "OPENAI_ADMIN_KEY=sk-admin-0123456789\nSMTP_USERNAME=a@b.example\nSMTP_PASSWORD=0123456789\n"
        "ALERT_RECIPIENT_EMAIL=c@d.example\n"
    )
    Path(".env").chmod(0o600)
    mail = {"SMTP_USERNAME", "SMTP_PASSWORD", "ALERT_RECIPIENT_EMAIL"}
    assert variables(capsys) == always | mail | {"OPENAI_ADMIN_KEY"}


@pytest.mark.parametrize(("environment", "port"), [({}, "8000"), ({"PORT": "8123"}, "8123")])
def test_the_image_listens_where_the_platform_says(
    environment: dict[str, str], port: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    program = tmp_path / "spendtop"
    program.write_text('#!/bin/sh\necho "$SPENDTOP_SERVER__PORT" "$@"\n')
    program.chmod(0o755)
    lines = dict(line.split(" ", 1) for line in printed(capsys, "docker").splitlines() if line[:3] in ("ENT", "CMD"))
    words = [*json.loads(lines["ENTRYPOINT"]), *json.loads(lines["CMD"])]
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, env=environment | path, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout.split() == [port, "--no-ui", "--host", "0.0.0.0"]


def test_what_a_unit_would_not_see_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        hook, config = Path(folder, "costs.py"), Path("spendtop.toml")
        hook.write_text("def cost(request): return None\n")
        store = 'url = "sqlite:////home/ana/spendtop.db"'
        config.write_text(f'[database]\n{store}\n[pricing]\nhook = "{hook}:cost"\n')
        config.chmod(0o600)
        assert main(["deploy", "systemd"]) == 0
        said = capsys.readouterr().err
        assert "does not see the store, /home/ana/spendtop.db" in said
        assert f"does not see the pricing hook, {hook}" in said
        assert main(["deploy", "docker"]) == 0
        assert "does not see" not in capsys.readouterr().err


@needs("systemd-analyze")
def test_systemd_takes_the_units(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    names = {
        "systemd": "llm-bill.service",
        "backup-service": "spendtop-backup.service",
        "backup-timer": "spendtop-backup.timer",
    }
    for kind, name in names.items():
        (tmp_path / name).write_text(printed(capsys, kind))
    assert checked("systemd-analyze", "verify", *(tmp_path / name for name in names.values())) == ""


@needs("hadolint")
def test_hadolint_has_nothing_against_the_dockerfile(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(printed(capsys, "docker"))
    assert checked("hadolint", dockerfile) == ""


@pytest.fixture
def nginx_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    """What is printed, on free ports and with a certificate, in a whole configuration."""
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    subject = ["-nodes", "-subj", "/CN=localhost", "-days", "1"]
    checked("openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate, *subject)
    server = printed(capsys, "nginx").replace("/etc/letsencrypt/live/spend.example.org", str(tmp_path))
    server = server.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    server = server.replace("listen 443 ssl;", f"listen 127.0.0.1:{free_port()} ssl;")
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"daemon off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ access_log off;\n{server}}}\n"
    )
    return whole


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@needs("nginx")
@needs("openssl")
def test_nginx_takes_its_configuration(nginx_configuration: Path) -> None:
    assert "successful" in checked("nginx", "-t", "-c", nginx_configuration)


class Hosts(BaseHTTPRequestHandler):
    """Answers with the Host that it was asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(host)))
        self.end_headers()
        self.wfile.write(host)

    def log_message(self, format: str, *args: object) -> None: ...


@needs("nginx")
@needs("openssl")
def test_nobody_outside_passes_for_a_local_program(nginx_configuration: Path) -> None:
    text = nginx_configuration.read_text()
    (port,) = re.findall(r"listen 127.0.0.1:(\d+) ssl;", text)
    with ThreadingHTTPServer(("127.0.0.1", 0), Hosts) as upstream, serving(upstream):
        nginx_configuration.write_text(text.replace("127.0.0.1:8000", f"127.0.0.1:{upstream.server_port}"))
        found = shutil.which("nginx", path=TOOLS)
        assert found is not None
        nginx = subprocess.Popen([found, "-c", nginx_configuration], stderr=subprocess.DEVNULL)
        try:
            eventually(lambda: accepts(int(port)))
            for path, host in product(("/requests", "/webhook", "/events"), ("127.0.0.1", "localhost", "[::1]:8000")):
                url = f"https://127.0.0.1:{port}{path}"
                answer = httpx.get(url, headers={"Host": host}, verify=False, trust_env=False, timeout=DEADLINE)
                assert (answer.status_code, answer.text) == (200, "spend.example.org")
        finally:
            nginx.terminate()
            nginx.wait(DEADLINE)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serves until the block ends."""
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
