"""Messages that Outlook saved, by python-oxmsg."""

from __future__ import annotations

import io
from typing import Any

from configs.errors import InputError
from ingest.convert.base import Converted, tidy
from ingest.convert.mail import MAX_FIELD, MAX_PEOPLE, message_body, sender
from ingest.convert.markup import one_line
from ingest.convert.properties import declared

_PAGE = 0x1013
"""The property PidTagHtml (MS-OXPROPS)."""


def outlook_message(data: bytes) -> Converted:
    """The text of a message; attachments are named and left out.

    Raises:
        InputError: it is damaged, or another file of the same binary form.
    """
    from oxmsg import Message

    try:
        message = Message.load(io.BytesIO(data))
        page = message.properties.binary_prop_value(_PAGE) or (message.html_body or "").encode()
        subject = one_line(message.subject or "")[:MAX_FIELD]
        attached = [one_line(one.file_name or "unnamed") for one in message.attachments]
        fields: dict[str, Any] = {
            "title": subject,
            **sender(message.sender or ""),
            "to": [_person(one) for one in message.recipients[:MAX_PEOPLE]],
            "date": message.sent_date,
            "attachments": attached,
        }
        body = message_body(subject, message.body or "", page or None)
    except InputError:
        raise
    except Exception as error:  # damaged bytes come out as whatever they break in it
        why = one_line(str(error))[:200] or type(error).__name__
        raise InputError(f"damaged: cannot be read as an Outlook message: {why}") from None
    metadata, origins = declared(fields, "mail")
    notes = tuple(f"attachment {name!r} is left out" for name in attached[:20])
    return Converted(tidy(body), metadata, notes, origins)


def _person(recipient: Any) -> str:
    name, address = one_line(recipient.name or ""), one_line(recipient.email_address or "")
    return f"{name} <{address}>" if name and address and name != address else name or address
