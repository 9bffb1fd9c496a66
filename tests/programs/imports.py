"""Imports: a package with subpackages, relative, failing and circular imports, the library's."""

import os
import sys
import tempfile

import oracle  # noqa: F401

FILES = {
    "pkg/__init__.py": "from . import first\nNAME = __name__\n",
    "pkg/first.py": "from .sub import deep\nVALUE = deep.VALUE + 1\ndef f():\n    return VALUE\n",
    "pkg/sub/__init__.py": "",
    "pkg/sub/deep.py": "VALUE = 40\n",
    "pkg/broken.py": "raise ValueError('broken')\n",
    "pkg/wrong.py": "def (:\n",
    "ring_a.py": "import ring_b\nA = 1\n",
    "ring_b.py": "import ring_a\nB = 2\n",
    "space/inner.py": "VALUE = 3\n",  # a namespace package
    "gr\u00fc\u00dfe.py": "VALUE = 4\n",
}


def write(folder):
    for name, source in FILES.items():
        path = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)


def attempt(name):
    try:
        __import__(name)
    except (ImportError, ValueError, SyntaxError) as error:
        return type(error).__name__
    return "imported"


def main():
    with tempfile.TemporaryDirectory() as folder:
        write(folder)
        sys.path.insert(0, folder)
        import pkg

        value = pkg.first.f()
        tries = [
            attempt(name)
            for name in ("pkg.broken", "pkg.wrong", "pkg.missing", "absent", "pkg", "ring_a")
        ]
        import space.inner

        greeting = __import__("gr\u00fc\u00dfe").VALUE
        import colorsys
        import wave

        library = [colorsys.__name__, wave.__name__, space.inner.VALUE, greeting]
        sys.path.remove(folder)
    print("imports", value, pkg.NAME, tries, library)


main()
