"""Makes a Markdown table from what ``bench_losses.py`` measured.

python benchmarks/table.py losses.json [--mode value_and_grad] [--dtype float32]
"""

import argparse
import json
from pathlib import Path


def main() -> None:
    """Print median times and their ratio, a row per loss and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="written by pytest --benchmark-json")
    parser.add_argument("--mode", help="one mode only")
    parser.add_argument("--dtype", help="one type only")
    options = parser.parse_args()
    report = json.loads(options.file.read_text())

    times: dict[tuple[str, str, str, int], dict[str, float]] = {}
    for benchmark in report["benchmarks"]:
        info = benchmark["extra_info"]
        if options.mode in (None, info["mode"]) and options.dtype in (None, info["dtype"]):
            key = (info["loss"], info["mode"], info["dtype"], info["n"])
            times.setdefault(key, {})[info["provider"]] = benchmark["stats"]["median"]

    processor = report["machine_info"]["cpu"].get("brand_raw", "unknown processor")
    print(
        f"Median microseconds a call; {processor}, "
        f"Python {report['machine_info']['python_version']}"
    )
    print("\n| loss | mode | type | n | fastloss | NumPy | ratio |")
    print("|---|---|---|--:|--:|--:|--:|")
    for (loss, mode, dtype, n), by in sorted(times.items()):
        ours, theirs = by.get("fastloss"), by.get("numpy")
        cells = [f"{t * 1e6:.2f}" if t else "" for t in (ours, theirs)]
        ratio = f"{theirs / ours:.1f}" if ours and theirs else ""
        print(f"| {loss} | {mode} | {dtype} | {n} | {' | '.join(cells)} | {ratio} |")


if __name__ == "__main__":
    main()
