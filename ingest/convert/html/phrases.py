"""Short lines that pages carry around their text, by how they read."""

from __future__ import annotations

import re

SERVICE_LINE = re.compile(
    r"(?:(?:share|tweet|pin|like|email|print|save)(?: this)?(?: (?:article|post|story|page|on .{1,20}|"
    r"via .{1,20}|with .{1,20}))?|advertisement|"
    r"sponsored|skip to (?:main )?content|back to top|follow us(?: on .{1,30})?|"
    r"sign up(?: for .{1,60})?|subscribe(?: (?:to|for|now|today) .{0,60})?|\d+ (?:shares?|likes?|"
    r"comments?|views?)|"
    r"\d{1,3}[- ]?min(?:ute)?s?(?: read(?:ing time)?)?|continue reading(?: below)?.?|leave a (?:comment|"
    r"reply)|"
    r"(?:read|see|view|load|show) more(?: .{0,30})?|loading\W*|comments?(?: \(?\d*\)?)?|table of contents|"
    r"contents|on this page|"
    r"copy link|click to (?:share|copy|enlarge|expand).{0,30}|previous|next|edit this page.{0,20}|"
    r"(?:filed under|posted (?:in|by|on|under)|tagged(?: with| as)?|tags?|categories|category|"
    r"topics)\b.{0,80})[\s:.!→»…]*",
    re.IGNORECASE,
)
ANNOUNCES_OTHERS = re.compile(
    r"(?:related|similar|recommended|more|popular|latest|recent|trending|further|other|featured|"
    r"suggested)(?: \w+){0,4}"
    r"(?: (?:posts?|articles?|stories|reading|reads|news|content|topics|links|from .{1,40}|on .{1,40}|"
    r"about .{1,30}|in .{1,30}))|"
    r"more to (?:explore|read|discover)|explore more|(?:you (?:may|might)(?: also)? (?:like|enjoy|"
    r"be interested in)|read next|up next|read more|"
    r"keep reading|what to read next|"
    r"see also|also (?:read|see)|more from .{1,40}|about the authors?|comments?(?: \(\d+\))?|"
    r"\d+ (?:comments|responses|thoughts.*|replies)|"
    r"leave a (?:comment|reply)|discussion|join the (?:conversation|discussion)|share(?: this)?(?: \w+)?|"
    r"newsletter|subscribe.{0,40}|"
    r"sign up.{0,40}|stay (?:in touch|updated|connected).{0,30}|follow (?:us|me).{0,30}|external links|"
    r"get .{1,30} in your inbox|"
    r"related(?: (?:posts?|articles?|stories|reading|content|links|topics|coverage))?|tags?|"
    r"categories)[\s:.!]*",
    re.IGNORECASE,
)
OTHER_PAGES = re.compile(
    r"related|recommended|you (?:may|might)|more (?:from|stories|posts|articles|news|to (?:explore|read))|"
    r"popular|"
    r"trending|(?:read|up) next|keep reading|latest (?:news|posts|stories)",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:(?:published|updated|posted|last (?:updated|modified|edited)|date|created|modified|on|by)\b[\s:]*)*"
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun)\w*,?\s+)?(?:\d{1,2}(?:st|nd|rd|th)?\s+)?(?:jan|feb|mar|apr|may|"
    r"jun|jul|aug|sep|oct|nov|dec)\w*\.?\s*"
    r"(?:\d{1,2}(?:st|nd|rd|th)?)?,?\s*(?:\d{4})?(?:[\s,·|"
    r"@-]*(?:at )?\d{1,2}:\d{2}(?::\d{2})?\s*(?:[ap]\.?m\.?)?(?:\s*[A-Z]{2,4})?)?|"
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d{2}:\d{2}.{0,12})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}",
    re.IGNORECASE,
)
_READ_TIME = re.compile(r"\d{1,3}\s*[- ]?min(?:ute)?s?(?:\s*read(?:ing)?(?: time)?)?", re.IGNORECASE)
_BYLINE = re.compile(
    r"(?:(?:written|posted|published|story|words|photos?)?\s*by|author:?)\s+\S.{1,60}", re.IGNORECASE
)


def is_meta(text: str) -> bool:
    """Whether a line says nothing but date, author and reading time."""
    parts = [part.strip(" ,") for part in re.split(r"\s*[·•|/–—]\s*|\s{2,}", text)]
    return all(
        _DATE.fullmatch(part) or _READ_TIME.fullmatch(part) or _BYLINE.fullmatch(part)
        for part in parts
        if part
    )
