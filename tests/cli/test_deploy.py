"""The files that `spendtop deploy` prints are what their readers take."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from spendtop.__main__ import main
from spendtop.cli.deploy import FILES

ROOT = Path(__file__).parents[2]


def printed(capsys: pytest.CaptureFixture[str], kind: str, *options: str) -> str:
    assert main(["deploy", kind, *options]) == 0
    return capsys.readouterr().out


TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def checked(tool: str, *arguments: str | Path) -> str:
    """What a checker says of a file; it has to be content."""
    found = shutil.which(tool, path=TOOLS)
    assert found is not None
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool, path=TOOLS) is None, reason=f"{tool} is not installed")


@pytest.mark.parametrize("kind", FILES)
def test_every_file_says_where_it_goes_and_runs_as_nobody_special(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, kind)
    assert text.startswith("# ")
    assert "$program" not in text
    marks = {"systemd": "DynamicUser=yes", "docker": "USER 10001", "compose": "cap_drop", "nginx": "ssl_certificate"}
    assert marks.get(kind, "minScale") in text


@pytest.mark.parametrize("kind", ["systemd", "docker", "compose", "cloudrun"])
def test_what_passes_an_old_env_through_switches_old_names_on(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "SPENDTOP_OLD_NAMES" in printed(capsys, kind)


@pytest.mark.parametrize("kind", ["docker", "compose", "cloudrun"])
def test_containers_are_watched_by_health(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "/health" in printed(capsys, kind)


def test_an_unknown_kind_is_named_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "kubernetes"]) == 2
    assert "systemd, docker, compose, cloudrun, nginx" in capsys.readouterr().err


def test_port_and_name_come_from_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    Path("spendtop.toml").write_text('[server]\npublic_url = "https://llm.example.net"\nport = 8123\n')
    Path("spendtop.toml").chmod(0o600)
    text = printed(capsys, "nginx")
    assert "server_name llm.example.net;" in text
    assert "proxy_pass http://127.0.0.1:8123;" in text


def test_all_templates_are_in_the_wheel() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert built["packages"] == ["src/spendtop"]
    folder = ROOT / "src" / "spendtop" / "cli" / "deployments"
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES.values())


@needs("systemd-analyze")
def test_systemd_takes_the_unit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    unit = tmp_path / "llm-bill.service"
    unit.write_text(printed(capsys, "systemd"))
    assert checked("systemd-analyze", "verify", unit) == ""


@needs("hadolint")
def test_hadolint_has_nothing_against_the_dockerfile(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(printed(capsys, "docker"))
    assert checked("hadolint", dockerfile) == ""


@needs("nginx")
@needs("openssl")
def test_nginx_takes_its_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    subject = ["-nodes", "-subj", "/CN=localhost", "-days", "1"]
    checked("openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate, *subject)
    server = printed(capsys, "nginx").replace("/etc/letsencrypt/live/spend.example.org", str(tmp_path))
    server = server.replace("listen 80;", "listen 18080;").replace("listen 443 ssl;", "listen 18443 ssl;")
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; events {{}}\nhttp {{ access_log off;\n{server}}}\n"
    )
    assert "successful" in checked("nginx", "-t", "-c", whole)
