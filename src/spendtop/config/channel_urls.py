"""What a channel's URL must be: a known service, one recipient, and none of Apprise's options that hide a failure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

from spendtop.domain.errors import nearest

ALLOWED = frozenset(
    """
    46elks amqp amqps aprs atalk azure bark barks betterstack bluesky brevo bsky bulksms bulkvs burstsms chanify
    clickatell clicksend cliq cm d7sms dapnet deltachat deltachats dingtalk discord dot eight00com elks emby embys
    enigma2 enigma2s evolution evolutions exotel fcm feishu firehydrant flock flowtriq flowtriqs fluxer fluxers form
    forms freemobile gchat github goalert goalerts gorush gorushs gotify gotifys groundmail groupme growl guilded
    gupshup hassio hassios httpsms humhub humhubs ifttt ilert incidentio infobip irc ircs jellyfin jellyfins jira join
    json jsons kakao kakaotalk kaleyra kavenegar klr kodi kodis kook kudosity kumulos lametric lametrics lark lauther
    lfg line mailersend mailgun mailto mailtos mastodon mastodons matrix matrixs misskey misskeys mmost mmosts
    mobilemessage mobilemsg mqtt mqtts msg91 msgbird ncloud nclouds nctalk nctalks nexmo nostr notica noticas
    notifiarr notifico notificos notifyre ntfy ntfys o365 octopush onebot onebots onesignal opsgenie pagerduty
    pagertree parsep parseps pbul pinglet pinglets pingram pjet pjets plivo postmark pover prowl psafer psafers push
    pushdeer pushdeers pushed pushme pushplus pushward pushy qq reddit resend revolt ringc rocket rockets rsyslog
    ryver schan sendgrid sendpulse serwersms ses session sessions seven sfr signal signalgrid signals signl4
    simplepush sinch slack smpp smpps smsc smseagle smseagles smsmanager smsmgr smstunnel smtp2go sns sogs sparkpost
    spike splunk spugpush spush squadcast stackfield strmlabs synology synologys telesign telnyx tgram threema toot
    toots trigv trigvs tweet twilio twist twitter vapid viber victorops voipms vonage webex wechat wecom wecombot
    whapi whatsapp workflow workflows wpush wxpusher wxteams x xbmc xbmcs xmatters xml xmls xmpp xmpps youlmk zalo
    zcliq zohocliq zoom zulip
    """.split()  # noqa: SIM905 - a list of 238 lines reads worse
)
"""The kinds of Apprise URL that may be a channel: services that are reached over a network.

Left out on purpose is what acts on this machine (`dbus`, `gnome`, `macosx`, `syslog`, `windows`, ...) and what hands
the message on to another Apprise (`apprise`).
"""
MAIL_SCHEMAS = frozenset({"mailto", "mailtos"})
HOOK_FIELDS = {"slack": "text", "discord": "content"}
"""The field in which a webhook shaped like Slack's or Discord's expects what it shows."""
LOCAL_SCHEMAS = frozenset(
    {"apprise", "apprises", "dbus", "file", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}
)
_GENERIC_SCHEMAS = frozenset({"form", "forms", "http", "json", "jsons", "xml", "xmls"})
WEB_SCHEMAS = ("http", "https")
_WEBHOOK_HOSTS = {
    "hooks.slack.com": "slack",
    "hooks.slack-gov.com": "slack",
    "discord.com": "discord",
    "discordapp.com": "discord",
}
_SCHEMA = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]{0,19})://")
_OWN_RETRIES = ("retry", "wait")
_YES = frozenset({"yes", "true", "1", "on"})
_NO = frozenset({"no", "false", "0", "off"})


def refusal(url: str) -> str | None:
    """Why this URL cannot be a channel, in words that hold no part of the URL but its kind; None when it can."""
    return _refused_schema(url) or _refused_form(url) or _refused_option(url)


def schema_of(url: str) -> str:
    """The kind of service for people, such as `slack` or `mailto`; `?` for what is no URL."""
    match = _SCHEMA.match(url)
    if not match:
        return "?"
    schema = match[1].lower()
    if schema in WEB_SCHEMAS and (parts := parts_of(url)):
        return _WEBHOOK_HOSTS.get(parts.hostname or "", schema)
    return schema


def options_of(url: str) -> dict[str, str]:
    """The last value of each parameter in an Apprise URL's query, names in lower case."""
    return {name.lower(): value for name, value in parse_qsl(url.partition("?")[2], keep_blank_values=True)}


def is_chat_hook(url: str) -> bool:
    """Whether it is a webhook shaped like Slack's or Discord's on another host, such as Mattermost's."""
    return schema_of(url) in ("json", "jsons") and options_of(url).get(":message") in HOOK_FIELDS.values()


def holds_credentials(url: str) -> bool:
    """Whether knowing this channel's URL lets a stranger act in our name."""
    parts = parts_of(url)
    if parts is None:
        return True
    if parts.scheme.lower() in MAIL_SCHEMAS:
        return bool(parts.password or options_of(url).get("pass"))
    named = bool(parts.password or parts.username)
    return named or parts.scheme.lower() not in _GENERIC_SCHEMAS or not _is_loopback(parts.hostname or "")


def parts_of(url: str) -> SplitResult | None:
    """The URL split, or None for what cannot be."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _refused_schema(url: str) -> str | None:
    schema = schema_of(url)
    if schema == "?":
        return "must be an Apprise URL such as mailto://, slack:// or discord://"
    if schema in ALLOWED or schema in WEB_SCHEMAS:
        return None
    if schema in LOCAL_SCHEMAS:
        return f"{schema}:// is not allowed: it acts on this machine instead of sending a message to somebody"
    near = nearest(schema, ALLOWED)
    hint = f"; did you mean {near}://?" if near else ""
    return f"{schema}:// is not a service that spendtop knows{hint}"


def _refused_form(url: str) -> str | None:
    if not url.partition("://")[2].strip("/"):
        return f"{schema_of(url)}:// needs an address behind it"
    if re.search(r"\s", url):
        return "must be one URL without spaces; write spaces in it as %20"
    return None


def _refused_option(url: str) -> str | None:
    is_mail = schema_of(url) in MAIL_SCHEMAS
    for name, value in options_of(url).items():
        chosen = value.strip().lower()
        if name == "optional" and chosen not in _NO:
            return "remove optional= from the URL: it would report failures as sent"
        if name in _OWN_RETRIES:
            return f"remove {name}= from the URL: the outbox repeats messages itself"
        if name == "redirect" and chosen not in _NO:
            return "remove redirect= from the URL: a redirected message is lost"
        if name == "verify" and chosen not in _YES:
            return "remove verify= from the URL: the certificate is always checked"
        if is_mail and (name in ("cc", "bcc") or (name == "to" and re.search(r"[,;]", value))):
            return "has more than one recipient; make one [[channel]] of each"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
