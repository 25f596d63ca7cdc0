"""Looks, once in a while, for what no run can tell: imports that are overdue, and secrets that end soon."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from customer_import.errors import ConfigurationError
from customer_import.notices.rules import Credential, of_expiring, of_overdue, overdue
from customer_import.notices.send import settle
from customer_import.notices.store import (
    forget_unscheduled,
    last_good_import,
    last_sign_in,
    watched_since,
)
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.partner_center.refresh_token import LIFETIME_DAYS
from customer_import.vocabulary import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from customer_import.config.instances import InstanceConfig
    from customer_import.notices.rules import Notice

log = logging.getLogger(__name__)


def watch(
    engine: Engine,
    instances: Mapping[str, InstanceConfig],
    link: str,
    now: datetime | None = None,
) -> None:
    """Tell people what is overdue or ends soon, as far as the instances say so.

    Args:
        engine: The import's database.
        instances: By name.
        link: Where the results are.
        now: UTC; the present moment when left out.
    """
    now = now or datetime.now(UTC)
    for name, instance in instances.items():
        forget_unscheduled(engine, name, [import_type.value for import_type in instance.schedules])
        config = instance.notices
        if config is None:
            continue
        expiring = (
            _expiring(engine, name, instances, link, now)
            if NoticeKind.EXPIRING in config.of
            else None
        )
        settle(engine, name, "", {NoticeKind.EXPIRING: expiring}, config, now)
        for import_type, schedule in instance.schedules.items():
            good = last_good_import(engine, name, import_type.value)
            since = watched_since(engine, name, import_type.value, now)
            due = overdue(schedule, watched_since=since, last_good=good, config=config, now=now)
            late = (
                of_overdue(instance.title, import_type.value, due, good, link)
                if due and NoticeKind.OVERDUE in config.of
                else None
            )
            settle(engine, name, import_type.value, {NoticeKind.OVERDUE: late}, config, now)


def _expiring(
    engine: Engine, name: str, instances: Mapping[str, InstanceConfig], link: str, now: datetime
) -> Notice | None:
    instance = instances[name]
    conn_id = instance.partner_center.conn_id
    # Whichever signs in by a connection renews its token for all.
    sharing = [key for key, each in instances.items() if each.partner_center.conn_id == conn_id]
    credentials = []
    if ends := instance.partner_center.client_secret_ends:
        hint = f"make a new one, put it into the connection, and its last day into client_secret_ends of {name}"
        credentials.append(Credential("Partner Center's client secret", ends, hint))
    sign_ins = [moment for key in sharing if (moment := last_sign_in(engine, key))]
    renewed = max(sign_ins, default=None)
    if renewed is not None and _has_refresh_token(instance):
        ends = (renewed + timedelta(days=LIFETIME_DAYS)).date()
        hint = "run an import, which renews it, or sign in anew"
        credentials.append(Credential("Partner Center's refresh token", ends, hint))
    return of_expiring(instance.title, credentials, now.date(), link)


def _has_refresh_token(instance: InstanceConfig) -> bool:
    try:
        return PartnerCenterHook(instance.partner_center.conn_id).settings.is_app_user
    except ConfigurationError as error:
        log.warning("%s", error)  # a run says so, too, and fails
        return False
