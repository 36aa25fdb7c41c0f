"""The kinds of channels that an [[alert]] may be."""

from __future__ import annotations

from collections.abc import Mapping

from flows._alerts.channel import Channel
from flows._alerts.chat import Slack, Teams
from flows._alerts.jira import Jira
from flows._alerts.letter import Mail
from flows._alerts.pager import PagerDuty
from flows._alerts.ticket import Ticket
from flows._alerts.webhook import Webhook

KINDS: Mapping[str, type[Channel]] = {
    cls.kind: cls for cls in (Slack, Teams, Mail, PagerDuty, Webhook, Jira, Ticket)
}
