#!/usr/bin/env python3
"""The tables of the server study from profiles: profile_study.py FOLDER COMMIT.

FOLDER has SIZE.ROUND.json, as `daytona profile --json` writes them. Of each size the round counts in
which a byte cost the fewest cycles: what else the machine did has disturbed it least. Writes table.md
and study.dat, which profile_study.gnuplot draws."""
import glob
import json
import os
import platform
import sys

SMALL = 0.5  # percent below which an activity has no row of its own


def read(folder):
    best = {}
    for path in glob.glob(os.path.join(folder, "*.*.json")):
        size = int(os.path.basename(path).split(".")[0])
        profile = json.load(open(path))[0]
        profile["a_byte"] = profile["cycles"] / max(1, profile["bytes_out"])
        if size not in best or profile["a_byte"] < best[size]["a_byte"]:
            best[size] = profile
    return best


def name_of(size):
    return f"{size // 1024} KB" if size < 1 << 20 else f"{size >> 20} MB"


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def header_bytes(size):
    """nginx's response header is some 240 bytes, and each file's own."""
    return size + 240


def main():
    folder, commit = sys.argv[1:3]
    best = read(folder)
    sizes = sorted(best)
    names = {row["activity"]: row["name"] for row in best[sizes[0]]["activities"]}
    share = {
        size: {row["activity"]: 100 * row["cycles"] / best[size]["cycles"] for row in best[size]["activities"]}
        for size in sizes
    }
    order = sorted(names, key=lambda activity: -sum(share[size][activity] for size in sizes))
    shown = [activity for activity in order if max(share[size][activity] for size in sizes) >= SMALL]
    with open(os.path.join(folder, "study.dat"), "w") as out:
        print("size", *(f'"{names[activity]}"' for activity in shown), file=out)
        for size in sizes:
            print(f'"{name_of(size)}"', *(f"{share[size][activity]:.2f}" for activity in shown), file=out)
    with open(os.path.join(folder, "table.md"), "w") as out:
        print(f"Commit {commit}; {processor()}, {os.cpu_count()} processors, Linux {platform.release()}.\n", file=out)
        print("| activity |", " | ".join(name_of(size) for size in sizes), "|", file=out)
        print("|---" * (len(sizes) + 1) + "|", file=out)
        for activity in shown:
            print(f"| {names[activity]} |", " | ".join(f"{share[size][activity]:.1f} %" for size in sizes), "|", file=out)

        def line(name, value):
            print(f"| {name} |", " | ".join(value(size, best[size]) for size in sizes), "|", file=out)

        line("*cycles of all activities, a response*",
             lambda size, p: f"{p['cycles'] / (p['bytes_out'] / header_bytes(size)):,.0f}")
        line("*a segment, in or out*", lambda size, p: f"{p['cycles'] / (p['packets_in'] + p['segments_out']):,.0f}")
        line("*a byte of text*", lambda size, p: f"{p['cycles'] / (p['bytes_in'] + p['bytes_out']):.2f}")
        line("*responses a second*",
             lambda size, p: f"{p['bytes_out'] / header_bytes(size) / (p['on_ns'] / 1e9):,.0f}")
        line("*Daytona's part of nginx's processor time*",
             lambda size, p: f"{100 * p['cycles'] / (p['program_ns'] * p['hertz'] / 1e9):.0f} %")
        line("*counting's part, left out above*",
             lambda size, p: f"{100 * p['cost_cycles'] / (p['program_ns'] * p['hertz'] / 1e9):.1f} %")


main()
