"""Domains without `%`: IPython's automagic steps back for names, and ours are names too."""

from __future__ import annotations

from typing import Any, cast

from IPython.core.prefilter import PrefilterChecker
from traitlets import Integer

from dhis2sh.surfaces.ipython import lines
from dhis2sh.verbs import installed, manifest


class DomainChecker(PrefilterChecker):
    """`metadata list ...` without `%` is a magic, although `metadata` is a name too: no Python begins like that."""

    priority = Integer(650).tag(config=True)  # before AutoMagicChecker, which steps back for names

    def check(self, line_info: Any) -> Any:
        """The magic handler for a domain that is followed by a word or an option, and for `undo`, which is a verb itself."""
        line = cast("str", line_info.line)
        domains = frozenset(installed.domains())
        if line_info.ifun not in domains or line_info.pre:
            return None
        if line.strip() == line_info.ifun and not manifest.is_verb(line_info.ifun):
            return None  # `metadata` alone is the name, which shows its verbs
        ours = lines.find(line, domains)
        return cast("Any", self.prefilter_manager).get_handler_by_name("magic") if ours else None
