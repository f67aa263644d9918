"""Whether channels can work, asked of a short-lived process: loading Apprise takes 0.3 s and 44 MB, which a collector
that has nothing to send does without. `python -m spendtop.alerts.url_check`: one line of JSON each on stdin and stdout.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping

import msgspec

from spendtop.alerts.channels import check_url

_SECONDS = 30.0
_log = logging.getLogger(__name__)


async def unusable(urls: Mapping[str, str]) -> dict[str, str]:
    """Why channels cannot work, by name; of none where nothing comes out of the check. No word holds a part of a URL
    but its kind."""
    if not urls:
        return {}
    try:
        async with asyncio.timeout(_SECONDS):
            reasons = msgspec.json.decode(await _answer(list(urls.values())), type=list[str | None])
    except (TimeoutError, OSError, msgspec.DecodeError) as failure:
        _log.warning("the channels could not be checked: %s", type(failure).__name__)
        return {}
    return {name: reason for name, reason in zip(urls, reasons, strict=True) if reason is not None}


async def _answer(urls: list[str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "spendtop.alerts.url_check"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", "")},
        cwd="/",
    )
    try:
        answer, _ = await process.communicate(msgspec.json.encode(urls) + b"\n")
        return answer
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def main() -> None:
    urls = msgspec.json.decode(sys.stdin.buffer.readline(), type=list[str])
    sys.stdout.buffer.write(msgspec.json.encode([check_url(url) for url in urls]))


if __name__ == "__main__":
    main()
