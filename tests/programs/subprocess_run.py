"""Runs another program with subprocess, by exec, and through a shell that ends in exec."""

import os
import subprocess
import sys

import oracle  # noqa: F401

OTHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recursion.py")


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, **options)
    return done.stdout.decode("ascii").strip()


def main():
    direct = run([sys.executable, OTHER])
    shell = run(["/bin/sh", "-c", 'exec "$0" "$1"', sys.executable, OTHER])
    failed = subprocess.run([sys.executable, "-c", "raise SystemExit(3)"]).returncode
    print("subprocess_run", direct == shell, failed, direct)


main()
