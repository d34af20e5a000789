"""What a page declares about itself: title, author, dates, site, language, address, tags, description."""

from ingest.convert.page_metadata.collect import page_metadata

__all__ = ["page_metadata"]
