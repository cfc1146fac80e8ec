"""What Schemathesis must know beyond the OpenAPI document: bodies are strict JSON, which no schema can say.

Loaded through SCHEMATHESIS_HOOKS. A generated body that strict JSON has no room for is dropped, so that everything
that is left must be accepted exactly where the document says so. The document names each of these rules.
"""

import unicodedata

import schemathesis


def folded(key):
    plain = unicodedata.normalize("NFKC", key).lower().upper().lower()
    return unicodedata.normalize("NFKC", plain.replace("\u0307", ""))


def strict(value, depth=0):
    if depth > 60:
        return False
    if isinstance(value, dict):
        keys = [folded(key) for key in value]
        return len(set(keys)) == len(keys) and all(
            strict(key, depth) and strict(member, depth + 1) for key, member in value.items()
        )
    if isinstance(value, list):
        return all(strict(item, depth + 1) for item in value)
    if isinstance(value, str):
        return not any(0xD800 <= ord(character) <= 0xDFFF for character in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= 2**53
    return True


@schemathesis.hook
def filter_body(context, body):
    return strict(body)


@schemathesis.deserializer("application/openmetrics-text")
def openmetrics(context, response):
    text = response.content.decode("utf-8")
    assert text.endswith("# EOF\n")
    return text
