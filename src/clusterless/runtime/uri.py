"""URIs of objects, both ways; pure.

A URI is what manifests, reports and other programs see; a key is the text a store files an object under. They differ in
quoting: a URI's path percent-encodes what a URI must not hold (space, quotes, ``< > \\ ^ ` { | } % ? # [ ]``, control
characters, spaces of other scripts) as UTF-8 and keeps all other characters, letters of every script included. These are
the rules by which the predecessor writes its manifests, so both write the same text for the same object, but for one case: a
slash that begins a key or follows another slash is written ``%2F``, where the predecessor drops it and names another object.

A URI without a scheme is relative to the root of its placement, so that a folder can be moved, or copied to a bucket, and
everything in it stays true. Its first segment writes ``:`` as ``%3A``; else it would read as a scheme.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from clusterless.runtime.errors import InvalidInput

_QUOTED = re.compile(r"""[\x00-\x20"#%<>?\[\\\]^`{|}\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|(?:\A|(?<=/))/""")
_MALFORMED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(?:/(.*))?", re.DOTALL)
_VARIABLE = re.compile(r"\{(/?[A-Za-z_]+\*?)\}")
_ENCODED_VARIABLE = re.compile(r"%7B(/?(?:lot|state|attempt)\*?)%7D", re.IGNORECASE)


def encode_path(key: str) -> str:
    """A key as the path of a URI, without the leading slash. :func:`decode_path` gives back exactly the key."""
    return _QUOTED.sub(lambda match: quote(match[0], safe=""), key)


def decode_path(text: str) -> str:
    """The key that a URI's path names. Raises :class:`InvalidInput` where ``%`` begins no byte, or the bytes are no UTF-8."""
    if "%" not in text:
        return text
    if _MALFORMED.search(text):
        raise InvalidInput("a '%' in a URI begins two hexadecimal digits", where=text, fix="write a percent sign as %25")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidInput("the percent-encoded bytes of a URI must be UTF-8", where=text) from None


def join(base: str, key: str) -> str:
    """The URI of ``key`` below the URI prefix ``base``; relative if ``base`` is empty."""
    path = encode_path(key)
    if not base:
        first, slash, rest = path.partition("/")
        return first.replace(":", "%3A") + slash + rest
    return f"{base}{path}" if base.endswith("/") else f"{base}/{path}"


def split(uri: str) -> tuple[str, str, str]:
    """Scheme, bucket and key of a URI: ``s3://b/a%20b`` is ``("s3", "b", "a b")``, ``inbox/a`` is ``("", "", "inbox/a")``."""
    if match := _ABSOLUTE.fullmatch(uri):
        return match[1].lower(), match[2], decode_path(match[3] or "")
    if _SCHEME.match(uri):
        raise InvalidInput("not a URI of an object", where=uri, fix="write scheme://bucket/key, or ':' in a relative URI as %3A")
    if uri.startswith("/"):
        raise InvalidInput("a URI without a scheme is relative to the placement's root", where=uri, fix="drop the leading '/'")
    return "", "", decode_path(uri)


def is_relative(uri: str) -> bool:
    """Whether a URI has no scheme, and so is relative to its placement's root."""
    return not _SCHEME.match(uri)


def relative_to(base: str, uri: str) -> str | None:
    """The key of ``uri`` below the URI prefix ``base``, decoded; None if it does not lie below it."""
    scheme, bucket, folder = split(base)
    if folder and not folder.endswith("/"):
        folder += "/"
    its_scheme, its_bucket, key = split(uri)
    if (scheme, bucket) != (its_scheme, its_bucket) or not key.startswith(folder):
        return None
    return key[len(folder) :] or None


def expand(template: str, lot: str, state: str, attempt: str | None = None) -> str:
    """Fill the RFC 6570 template of a manifest's URI: ``…/lot={lot}/state={state}{/attempt*}/manifest.json``.

    The percent-encoded flavour of the template is taken too. ``partial`` and ``removed`` manifests are told apart by their
    attempt: without one they are refused, where the predecessor lets a piece of the template into the key.
    """
    if attempt is None and state in ("partial", "removed"):
        raise InvalidInput(f"a {state} manifest needs the attempt that it belongs to", where=template)
    values = {
        "lot": quote(lot, safe=""),
        "state": quote(state, safe=""),
        "/attempt*": "" if attempt is None else f"/attempt={quote(attempt, safe='')}",
    }

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise InvalidInput(f"unknown variable {match[0]}", where=template, fix="use {lot}, {state} and {/attempt*}")
        return values[match[1]]

    return _VARIABLE.sub(fill, _ENCODED_VARIABLE.sub(r"{\1}", template))
