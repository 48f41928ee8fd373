"""Bundles: from a project on disk to one self-contained ES module, and the check that a module is one.

Rule 1: a program is parsed and bundled here, never run.
Rule 2: the same project gives the same bytes in any folder on any machine: a bundle holds no local path.
project.py finds the program, wrangler.py, vercel.py and denojson.py (pure) read the platforms' files into settings.py's words, bundler.py makes the
module, modules.py judges one, dialect.py tells its form; assets.py makes and judges packs of static files, rules.py their _headers and _redirects.
"""

from controlplane.bundle.assets import validate_pack
from controlplane.bundle.bundler import Bundle, bundle
from controlplane.bundle.dialect import UnknownDialect, detect
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.modules import BUNDLE_MAX_BYTES, self_contained
from controlplane.bundle.project import Project, locate

__all__ = [
    "BUNDLE_MAX_BYTES",
    "Bundle",
    "Project",
    "UnknownDialect",
    "UnusableSource",
    "bundle",
    "detect",
    "locate",
    "self_contained",
    "validate_pack",
]
