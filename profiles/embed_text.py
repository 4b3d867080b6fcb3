#!/usr/bin/env python3
"""Turns a text file into a C header with one string.

usage: embed_text.py INPUT OUTPUT NAME
"""

import sys


def main(source, output, name):
    with open(source, "rb") as file:
        text = file.read()
    rows = (", ".join(map(str, text[i:i + 16])) for i in range(0, len(text), 16))
    with open(output, "w", encoding="ascii") as file:
        file.write(f"/* Made by profiles/embed_text.py. */\nstatic const char {name}[] = {{\n")
        file.writelines(f"\t{row},\n" for row in rows)
        file.write("\t0,\n};\n")


main(*sys.argv[1:])
