"""Starts the Chromium that is on this machine, and never another one: nothing is downloaded, and nothing of it is kept.

`DHIS2SH_CHROMIUM` names it by its path, or as one of Playwright's channels (`chrome`, `msedge`); else it is looked for on PATH.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from dhis2sh.errors import ConfigError, MissingExtra, NotFound

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Playwright

    from dhis2sh.session import Session

VARIABLE = "DHIS2SH_CHROMIUM"
ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
CHANNELS = ("chrome", "chrome-beta", "msedge", "msedge-beta", "chromium")
"""What Playwright itself finds where an installer has put it."""
_INSTALL = f"install Chromium (apt install chromium), or set {VARIABLE} to the path of one"


def first_line(error: BaseException) -> str:
    """What Playwright says failed; the lines below it say what was typed, and are nobody's business."""
    return str(error).partition("\n")[0].removesuffix(" Call log:").strip()


def which() -> dict[str, str]:
    """How to start it, as Playwright takes it: `executable_path` or `channel`. Raises `NotFound`, `ConfigError`."""
    named = os.environ.get(VARIABLE)
    if named in CHANNELS:
        return {"channel": named}
    if named:
        found = shutil.which(os.path.expanduser(named))  # noqa: PTH111
        if found is None:
            raise ConfigError(f"{VARIABLE} names '{named}', which is no program and no channel", hint=_INSTALL)
        return {"executable_path": found}
    found = next((path for name in ON_PATH if (path := shutil.which(name))), None)
    if found is None:
        raise NotFound("there is no Chromium on this machine", hint=_INSTALL)
    return {"executable_path": found}


@asynccontextmanager
async def chromium(s: Session, *, width: int, window: bool = False) -> AsyncGenerator[BrowserContext]:
    """A browser with nothing in it, closed at the end, however that comes about.

    Parameters:
        width: of its pages, in pixels.
        window: show it, for somebody who signs in by hand.

    Raises `MissingExtra`, `NotFound` where there is no Chromium, `ConfigError` where it does not start.
    """
    if "pw:" in os.environ.get("DEBUG", ""):
        raise ConfigError("DEBUG=pw:... would write passwords down", hint="unset DEBUG")
    found = which()
    try:
        from playwright.async_api import async_playwright  # heavy: an extra
    except ImportError as error:
        raise MissingExtra("a browser", "browser") from error
    async with async_playwright() as playwright:
        browser = await _started(s, playwright, found, window)
        try:
            context = await browser.new_context(
                viewport={"width": width, "height": 900},
                device_scale_factor=1,
                ignore_https_errors=not s.profile.verify_tls,
                reduced_motion="reduce",
                service_workers="block",
                locale="en-GB",
            )
            yield context
        finally:
            with suppress(Exception):  # Ctrl-C has reached it too, and it is gone already
                await browser.close()


async def _started(s: Session, playwright: Playwright, found: dict[str, str], window: bool) -> Browser:
    """Start it with its own sandbox where the system has one for it. Raises `ConfigError` with its words."""
    from playwright.async_api import Error  # heavy: an extra

    # what ends us ends it: by the block that it stands in, not by handlers of its own
    how: dict[str, Any] = {
        **found, "headless": not window, "handle_sigint": False, "handle_sigterm": False, "handle_sighup": False,
    }  # fmt: skip
    guarded = os.name == "nt" or os.geteuid() != 0
    try:
        return await playwright.chromium.launch(**how, chromium_sandbox=guarded)
    except Error as error:
        if guarded and "sandbox" in str(error).lower():
            s.person.warn("this system has no sandbox for Chromium: it runs without")
            with suppress(Error):
                return await playwright.chromium.launch(**how, chromium_sandbox=False)
        name = found.get("executable_path") or found.get("channel")
        raise ConfigError(f"{name} does not start: {first_line(error)}", hint=_INSTALL) from None
