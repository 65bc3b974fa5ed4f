"""`tracer.check/1` as JUnit XML, which every CI system shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree as xml

from tracer.report.safe import safe_text

Document = Mapping[str, Any]

_NO_XML: Final = re.compile("[\ufffe\uffff]")


def check_junit(document: Document) -> bytes:
    """One test case a kind of request and one a regression; errors are what was not judged."""
    failures, errors = document["regressions"], document["unjudged"]
    failed = {tuple(one["path"]) for one in failures if one["path"]}
    passed = [
        one for one in document["judged_operations"]["items"] if tuple(one["path"]) not in failed
    ]
    suite = xml.Element(
        "testsuite",
        name="tracer check",
        tests=str(len(failures) + len(errors) + len(passed)),
        failures=str(len(failures)),
        errors=str(len(errors)),
        skipped="0",
    )
    for one in passed:
        _case(suite, one)
    for one in failures:
        failure = xml.SubElement(
            _case(suite, one), "failure", type=one["measure"], message=_text(one["reason"])
        )
        failure.text = _text(" > ".join(one["path"] or [one["operation"]]))
    for one in errors:
        case = xml.SubElement(
            suite, "testcase", classname="tracer.check", name=f"could not judge: {one['code']}"
        )
        xml.SubElement(case, "error", type=one["code"], message=_text(one["text"]))
    output = xml.SubElement(suite, "system-out")
    output.text = "\n".join(_text(line) for line in (document["summary"], *document["notes"]))
    body: bytes = xml.tostring(suite, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _case(suite: xml.Element, one: Document) -> xml.Element:
    name = " > ".join(one["path"] or [one["operation"]])
    return xml.SubElement(
        suite, "testcase", classname=_text(one["service"]) or "unknown", name=_text(name)
    )


def _text(text: str) -> str:
    return _NO_XML.sub("·", safe_text(text))
