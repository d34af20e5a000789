"""Messages: their text, who wrote to whom and when."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from datetime import datetime
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, refuse_binary, tidy
from ingest.convert.encoding import decode
from ingest.convert.markup import blocks, heading, one_line, plain_block
from ingest.convert.page import read_page
from ingest.convert.properties import declared, moment
from ingest.convert.whole import whole_page

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""What files of Outlook and of older office programs begin with."""
MAX_PARTS = 1_000
MAX_FIELD = 2_000
"""Characters of a header that are kept."""
MAX_HEADER = 20_000
"""Characters of a header that are looked at: people in ``To`` may be many."""
MAX_PEOPLE = 100
_KNOWN = re.compile(
    rb"^(?:from|to|subject|date|received|message-id|mime-version|return-path|delivered-to):",
    re.IGNORECASE | re.MULTILINE,
)
_FLOWED_BREAK = re.compile(r"(?<=[^\s>-]) \n(?=[^\s>])")


class MailConverter:
    """The text of a message; attachments are named and left out, and what it links to is never fetched."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        if not data.strip():
            raise InputError("not a message: the file is empty")
        if data.startswith(OLE):
            from ingest.convert.msg import outlook_message

            return outlook_message(data)
        if suffix == ".msg":
            raise InputError("not an Outlook message: it is not in the binary form that Outlook writes")
        refuse_binary(data, "a message")
        data = data.lstrip(b"\xef\xbb\xbf\r\n")
        if data.startswith(b"From "):
            data = data.partition(b"\n")[2]
        if not _KNOWN.search(data[:20_000].replace(b"\r\n", b"\n").partition(b"\n\n")[0]):
            raise InputError("not a message: it does not begin with headers such as From and Subject")
        try:
            message = email.message_from_bytes(data, policy=policy.compat32)
            body, attached, notes = read_message(message)
            fields = _fields(message)
        except (MessageError, RecursionError, LookupError, AttributeError, TypeError, IndexError) as error:
            why = one_line(str(error))[:200] or type(error).__name__
            raise InputError(f"damaged: cannot be read as a message: {why}") from None
        fields["attachments"] = attached
        metadata, origins = declared(fields, "mail")
        return Converted(tidy(body), metadata, tuple(notes), origins)


def message_body(subject: str, text: str, page: bytes | None) -> str:
    """The subject as a heading, and the better of the two forms of a message's text."""
    rich = ""
    if page is not None:
        tree = read_page(page)[0]
        rich = whole_page(tree).strip() if tree is not None else ""
    plain = plain_block(tidy(text)).strip()
    # An HTML part that holds much less is a hint to open the message elsewhere, or layout only.
    chosen = rich if len(_words(rich)) * 10 >= len(_words(plain)) * 6 else plain
    return blocks([heading(1, subject), chosen])


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def read_message(message: Message) -> tuple[str, list[str], list[str]]:
    """A message's markdown, the names of its attachments, and notes."""
    texts: list[str] = []
    pages: list[bytes] = []
    attached: list[str] = []
    inner: list[str] = []
    for part in _parts(message):
        kind, name = part.get_content_type(), _filename(part)
        if kind == "message/rfc822":
            enclosed = part.get_payload(0) if part.is_multipart() else None
            inner.append(header(enclosed, "subject") if isinstance(enclosed, Message) else "")
        elif part.get_content_disposition() == "attachment" or (name and not kind.startswith("text/")):
            attached.append(name or kind)
        elif kind == "text/html":
            pages.append(_page(part))
        elif kind == "text/plain":
            texts.append(_text(part))
        elif part.get_content_maintype() != "multipart":
            attached.append(name or kind)
    subject = header(message, "subject")[:MAX_FIELD]
    body = message_body(subject, "\n\n".join(filter(None, texts)), pages[0] if pages else None)
    notes = [f"attachment {name!r} is left out" for name in attached[:20]]
    notes += [f"enclosed message {name!r} is left out" for name in inner[:20]]
    return body, attached, notes


def _parts(message: Message) -> Iterator[Message]:
    """The parts in order; what a message encloses is one of them, and is not looked into."""
    pending, seen = [message], 0
    while pending and seen < MAX_PARTS:
        part = pending.pop()
        seen += 1
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            payload: Any = part.get_payload()
            pending += [child for child in reversed(payload) if isinstance(child, Message)]
        else:
            yield part


def _filename(part: Message) -> str:
    return _decoded(str(part.get_filename("") or "")[:MAX_FIELD])[:200]


def _bytes(part: Message) -> bytes:
    payload: Any = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: Message) -> str:
    text = decode(_bytes(part), part.get_content_charset())[0].replace("\r\n", "\n")
    # RFC 3676: a line that ends in a space goes on in the next one.
    flowed = str(part.get_param("format", "")).lower() == "flowed"
    return _FLOWED_BREAK.sub(" ", text) if flowed else text


def _page(part: Message) -> bytes:
    text = decode(_bytes(part), part.get_content_charset())[0]
    return text.encode("utf-8", "replace")


def header(message: Message, name: str) -> str:
    """A header's text in one line, whatever its encoding."""
    return _decoded(_raw(message, name))


def _raw(message: Message, *names: str) -> str:
    """Headers as they are written, joined by commas."""
    found = [str(raw)[:MAX_HEADER] for key, raw in message.raw_items() if key.lower() in names]
    return ", ".join(found[:MAX_PARTS])[:MAX_HEADER]


def _decoded(raw: str) -> str:
    text = decode(raw.encode("utf-8", "surrogateescape"))[0]
    try:
        return one_line(str(make_header(decode_header(one_line(text)))))
    except (ValueError, LookupError, MessageError):
        return one_line(text)


def _fields(message: Message) -> dict[str, Any]:
    return {
        "title": header(message, "subject")[:MAX_FIELD],
        **sender(_raw(message, "from")),
        "to": people(_raw(message, "to", "cc")),
        "date": _date(header(message, "date")),
        "language": header(message, "content-language"),
        "tags": header(message, "keywords"),
        "message_id": header(message, "message-id")[:MAX_FIELD].strip("<>"),
    }


def sender(text: str) -> dict[str, list[str]]:
    """Who wrote it: names, or else addresses, as authors, and both together as ``from``."""
    full = people(text)
    return {"author": [person.partition(" <")[0] for person in full], "from": full}


def people(text: str) -> list[str]:
    """Names with addresses, as ``Ada Byron <ada@example.org>``."""
    try:
        pairs = getaddresses([text[:MAX_HEADER]])
    except (RecursionError, IndexError, ValueError):
        return [_decoded(text[:MAX_FIELD])]
    found = []
    for name, address in pairs:
        shown = _decoded(name)  # only now: a decoded name may hold a comma
        found.append(f"{shown} <{address}>" if shown and address else shown or address)
    return [person for person in dict.fromkeys(found) if person][:MAX_PEOPLE]


def _date(text: str) -> datetime | None:
    try:
        return moment(parsedate_to_datetime(text[:100]))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def converter(settings: IngestSettings) -> MailConverter:
    return MailConverter()
