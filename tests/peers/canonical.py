"""Reads one JSON string per line, which holds a document; prints for each a line: null if Python's own
parser refuses it, else [its canonical form by the rfc8785 package, whether a parser that keeps decimals
finds the same values in both]."""

import decimal
import json
import sys

import rfc8785


def exact(text):
    return json.loads(text, parse_int=decimal.Decimal, parse_float=decimal.Decimal)


for line in sys.stdin:
    document = json.loads(line)
    try:
        canonical = rfc8785.dumps(json.loads(document, parse_int=float)).decode()
        answer = [canonical, exact(document) == exact(canonical)]
    except ValueError:
        answer = None
    print(json.dumps(answer))
