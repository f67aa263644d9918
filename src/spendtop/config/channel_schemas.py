"""The kinds of Apprise URL that may be a channel: services that are reached over a network.

Left out on purpose is what acts on this machine (`dbus`, `gnome`, `macosx`, `syslog`, `windows`, ...) and what hands
the message on to another Apprise (`apprise`).
"""

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
