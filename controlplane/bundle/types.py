"""Content types by file name. A table of our own: the operating system's differs from machine to machine, and so would packs. Pure."""

_TEXT = {
    "css": "text/css", "csv": "text/csv", "htm": "text/html", "html": "text/html", "ics": "text/calendar", "js": "text/javascript",
    "json": "application/json", "jsonld": "application/ld+json", "map": "application/json", "md": "text/markdown", "mjs": "text/javascript",
    "rss": "application/rss+xml", "atom": "application/atom+xml", "svg": "image/svg+xml", "txt": "text/plain", "vtt": "text/vtt",
    "webmanifest": "application/manifest+json", "xhtml": "application/xhtml+xml", "xml": "application/xml", "xsl": "application/xml",
    "yaml": "application/yaml", "yml": "application/yaml",
}  # fmt: skip
_BINARY = {
    "aac": "audio/aac", "apng": "image/apng", "avif": "image/avif", "bmp": "image/bmp", "eot": "application/vnd.ms-fontobject",
    "flac": "audio/flac", "gif": "image/gif", "glb": "model/gltf-binary", "gz": "application/gzip", "heic": "image/heic", "ico": "image/x-icon",
    "jpeg": "image/jpeg", "jpg": "image/jpeg", "m4a": "audio/mp4", "m4v": "video/mp4", "mov": "video/quicktime", "mp3": "audio/mpeg",
    "mp4": "video/mp4", "oga": "audio/ogg", "ogg": "audio/ogg", "ogv": "video/ogg", "opus": "audio/ogg", "otf": "font/otf", "pdf": "application/pdf",
    "png": "image/png", "tar": "application/x-tar", "tif": "image/tiff", "tiff": "image/tiff", "ttf": "font/ttf", "wasm": "application/wasm",
    "wav": "audio/wav", "weba": "audio/webm", "webm": "video/webm", "webp": "image/webp",
    "woff": "font/woff", "woff2": "font/woff2", "zip": "application/zip",
}  # fmt: skip
_UNKNOWN = "application/octet-stream"
_SHRINK = frozenset(
    {
        "application/vnd.ms-fontobject", "application/wasm", "font/otf", "font/ttf", "image/bmp", "image/x-icon", "model/gltf-binary", _UNKNOWN,
    }
)  # fmt: skip


def content_type(path: str) -> str:
    """Return the content type of a file of the name *path*."""
    _, dot, suffix = path.rpartition("/")[2].lower().rpartition(".")
    if not dot:
        return _UNKNOWN
    if suffix in _TEXT:
        return f"{_TEXT[suffix]}; charset=utf-8"
    return _BINARY.get(suffix, _UNKNOWN)


def compressible(content_type: str) -> bool:
    """Tell whether a content of this type may become smaller."""
    return content_type.endswith("charset=utf-8") or content_type in _SHRINK
