"""A verdict in the formats CI systems read: JUnit XML and SARIF 2.1.0."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from ..render import safe
from ..verdict import FAIL, NOT_VERIFIED, Check
from .verify import VerifyReport

_LEVELS = {FAIL: "error", NOT_VERIFIED: "warning"}


def _message(check: Check) -> str:
    against = f" against {check.limit}" if check.limit is not None else ""
    figures = f"{check.value}{against} {check.unit}: " if check.value is not None else ""
    return safe(f"{check.name}: {check.status}: {figures}{check.detail}")


def junit(report: VerifyReport) -> bytes:
    """One test case per check; what is not verified is an error, so that no CI system counts it as passed."""
    failed = sum(check.status == FAIL for check in report.checks)
    open_ = sum(check.status == NOT_VERIFIED for check in report.checks)
    counts = {"tests": str(len(report.checks)), "failures": str(failed), "errors": str(open_)}
    suite = ElementTree.Element("testsuite", {"name": safe(f"edgepde verify {report.bundle}"), **counts})
    for check in report.checks:
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": report.name or "bundle", "name": safe(check.name)}
        )
        tag = {FAIL: "failure", NOT_VERIFIED: "error"}.get(check.status)
        if tag:
            ElementTree.SubElement(case, tag, {"type": check.status, "message": _message(check)})
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)) + b"\n"


def sarif(report: VerifyReport) -> bytes:
    """One result per check that failed (error) or is not verified (warning)."""
    location = {"physicalLocation": {"artifactLocation": {"uri": report.bundle.as_posix()}}}
    results = [
        {
            "ruleId": check.name,
            "level": _LEVELS[check.status],
            "message": {"text": _message(check)},
            "locations": [location],
        }
        for check in report.checks
        if check.status in _LEVELS
    ]
    rules = [{"id": name} for name in dict.fromkeys(check.name for check in report.checks)]
    driver = {"name": "edgepde verify", "rules": rules}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
