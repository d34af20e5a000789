"""Pictures: which address one has when its script has run, and which are only decoration."""

from __future__ import annotations

import re

from lxml import etree

from ingest.convert.html.tree import Element, drop, elements, name_words, sweep, tag_of, word_set, words

_LAZY = words(
    "data-src data-lazy-src data-original data-lazy data-url data-image data-hi-res-src data-full-src "
    "data-orig-file "
    "data-large-file data-actualsrc data-echo data-srcset data-lazy-srcset srcset srcSet"
)
_PICTURE = re.compile(r"^(?:https?:|//|/|\.|[\w%-]+[/.])\S*$")
_CANDIDATE = re.compile(r"(\S+(?:,\S+)*)\s+([\d.]+)([wx])(?:,|\s|$)")
_DECORATION = word_set("icon avatar emoji spinner loader pixel tracking spacer sprite gravatar smiley badge")
_FILE = re.compile(r"(?:https?:/)?/\S+\.(?:png|jpe?g|gif|webp|avif|svg)(?:\?\S*)?$", re.IGNORECASE)
_SMALL = 33
_VIDEO = re.compile(r"(?:youtube(?:-nocookie)?\.com/(?:embed/|watch\?v=|v/)|youtu\.be/)([\w-]{6,20})")
_POST = re.compile(r"(?:twitter|x)\.com/[^?]{0,60}?status(?:es)?/(\d+)|[?&]id=(\d{6,})")


def settle_images(root: Element) -> None:
    """Give every picture the address it is shown from; drop decoration, placeholders and repeats."""
    for picture in elements(root, "picture"):
        image = picture.find(".//img")
        sources = [source.get("srcset") or source.get("data-srcset") for source in picture.iter("source")]
        if image is not None and any(sources) and not _usable(image.get("src")):
            image.set("data-srcset", next(value for value in sources if value))
    etree.strip_tags(root, "source", "picture")  # libxml2 takes what follows a source for its content
    for figure in elements(root, "figure"):
        _one_of_each(figure)
    shown: set[str] = set()
    for image in elements(root, "img"):
        address = _address(image)
        if address is None or _is_decoration(image):
            drop(image)
            continue
        image.set("src", address)
        if address in shown and not (image.tail or "").strip() and tag_of(image.getparent()) != "p":
            drop(image)
        link = next(image.iterancestors("a"), None)
        shown = {address, "" if link is None else link.get("href", "")}
    for frame in elements(root, "iframe"):
        _frame(frame)
    sweep(root)


def _one_of_each(figure: Element) -> None:
    """Pictures with the same alternative text in one figure are one picture in several sizes."""
    best: dict[str, Element] = {}
    for image in elements(figure, "img"):
        alt = image.get("alt", "")
        held = best.get(alt)
        if held is None:
            best[alt] = image
        elif _size(image) >= _size(held):
            drop(held)
            best[alt] = image
        else:
            drop(image)


def _size(image: Element) -> tuple[bool, float]:
    """Whether it has an address at all, and the largest width that is stated."""
    stated = image.get("width", "")
    widths = [
        float(match[2]) for match in _CANDIDATE.finditer(_candidates(image)) if match[2].count(".") == 0
    ]
    return _address(image) is not None, max([float(stated) if stated.isdecimal() else 0.0, *widths])


def _candidates(image: Element) -> str:
    return str(image.get("srcset") or image.get("srcSet") or image.get("data-srcset") or "")[:20_000]


def _usable(address: str | None) -> bool:
    return (
        bool(address)
        and not str(address).strip().startswith(("data:", "blob:", "about:"))
        and bool(str(address).strip())
    )


def _address(image: Element) -> str | None:
    own = image.get("src", "").strip()
    for name in _LAZY:
        value = image.get(name, "").strip()
        if not value:
            continue
        if "srcset" in name.lower():
            value = _largest(value)
        if (
            _usable(value)
            and _PICTURE.match(value)
            and (name not in ("srcset", "srcSet") or not _usable(own) or _wider(image))
        ):
            return str(value)
    if _usable(own) and not re.search(r"\s", own):
        return str(own)
    named = (value for name, value in image.attrib.items() if name.startswith("data-"))
    return next((str(value) for value in named if _FILE.match(value.strip())), None)


def _wider(image: Element) -> bool:
    return "w" in {
        match[3] for match in _CANDIDATE.finditer(image.get("srcset", "") or image.get("srcSet", ""))
    }


def _largest(candidates: str) -> str:
    best, size = "", -1.0
    for match in _CANDIDATE.finditer(candidates[:20_000]):
        value = float(match[2]) if match[2].count(".") <= 1 and match[2] != "." else 0.0
        if value > size:
            best, size = match[1].lstrip(","), value
    return best or candidates.split(",")[0].split(" ")[0].strip()


def _is_decoration(image: Element) -> bool:
    sizes = []
    for name in ("width", "height"):
        value = image.get(name, "").removesuffix("px")
        match = re.search(rf"(?:^|;|\s){name}\s*:\s*(\d+)px", image.get("style", ""))
        if value.isdecimal() or match:
            sizes.append(int(match[1]) if match else int(value[:6]))
    if sizes and max(sizes) < _SMALL and not image.get("data-x-math"):
        return True
    return bool(_DECORATION & name_words(image, ids=False)) and not image.get("alt", "").strip()


def _frame(frame: Element) -> None:
    """An embedded video or post is a picture that leads to it; other frames are not part of the page."""
    address = next(
        (value for name in ("src", "data-src", "data-lazy-src") if (value := frame.get(name, "").strip())), ""
    )
    video = _VIDEO.search(address)
    if video:
        target = f"https://www.youtube.com/watch?v={video[1]}"
    elif "twitter" in address and (post := _POST.search(address)):
        target = f"https://x.com/i/status/{post[1] or post[2]}"
    elif re.search(r"player\.vimeo\.com/video/\d+", address):
        target = re.sub(r".*video/(\d+).*", r"https://vimeo.com/\1", address)
    else:
        drop(frame)
        return
    title = frame.get("title", "")
    frame.clear(keep_tail=True)
    frame.tag = "img"
    frame.set("src", target)
    if title and len(title) < 200 and not title.lower().startswith("youtube video"):
        frame.set("alt", title)
