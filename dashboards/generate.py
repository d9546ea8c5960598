#!/usr/bin/env python3
"""Writes what Grafana and Prometheus are given: the dashboards, and the rules.

    python3 dashboards/generate.py dashboards [--out DIR] [--check]
    python3 dashboards/generate.py rules [--out DIR] [--check] [--shorten N] [--objective 0.999]

Dashboards need grafana-foundation-sdk (tests/python/requirements.txt); rules need Python alone. `--check` writes nothing
and fails if what is there is not what would be written. `--shorten` divides every window of the rules, for a
trial: an alert that takes an hour then takes a minute.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


def made(arguments):
    """What is to be written: texts by the names of their files."""
    if arguments.what == "rules":
        from generator import rules

        return rules.texts(arguments.shorten, arguments.objective)
    from generator import boards

    return boards.texts()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["dashboards", "rules"])
    parser.add_argument("--out", type=Path, help="where to; beside this program unless said")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    parser.add_argument("--shorten", type=float, default=1, help="divide the windows of rules by this")
    parser.add_argument("--objective", type=float, default=0.999, help="the share of good requests")
    arguments = parser.parse_args()
    out = arguments.out or (HERE / "rules" if arguments.what == "rules" else HERE)
    texts = made(arguments)
    stale = [
        name
        for name, text in texts.items()
        if not (out / name).is_file() or (out / name).read_text() != text
    ]
    if arguments.check:
        if stale:
            sys.exit(f"not as generated: {', '.join(stale)}; run `make dashboards`")
        return
    out.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (out / name).write_text(texts[name])
        print(out / name)


if __name__ == "__main__":
    main()
