"""AWS Signature Version 4, as far as a POST of JSON to one service needs it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AwsKey:
    """An access key; the token is empty but for temporary ones."""

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, text: str) -> AwsKey | None:
        """Out of `ID:SECRET` or `ID:SECRET:TOKEN`; None for anything else."""
        parts = text.split(":", 2)
        return cls(*parts) if len(parts) >= 2 and all(parts[:2]) else None

    def sign(
        self, host: str, body: bytes, headers: Mapping[str, str], at: datetime, *, service: str, region: str
    ) -> dict[str, str]:
        """All headers of a POST to the root of `host`: these, signed at this UTC instant."""
        stamp, date = f"{at:%Y%m%dT%H%M%SZ}", f"{at:%Y%m%d}"
        token = {"x-amz-security-token": self.token} if self.token else {}
        signed = {
            **{name.lower(): value for name, value in headers.items()},
            "host": host,
            "x-amz-date": stamp,
            **token,
        }
        names = ";".join(sorted(signed))
        canonical = "\n".join(
            (
                "POST",
                "/",
                "",
                *(f"{name}:{signed[name].strip()}" for name in sorted(signed)),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            )
        )
        scope = f"{date}/{region}/{service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in (date, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        credential = f"Credential={self.id}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**signed, "authorization": f"AWS4-HMAC-SHA256 {credential}"}
