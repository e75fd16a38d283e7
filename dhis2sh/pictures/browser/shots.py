"""A picture of what a page of the server's shows, taken when the page itself says that all of it is drawn.

Each item of a dashboard is drawn, or says why it is not; one that still shows that it is busy is waited for, and never
photographed. When nothing is busy any more, two pictures in a row must be the same: nothing moves.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.apps import app_page
from dhis2sh.errors import CheckFailed, NotDhis2, TimedOut, UsageError
from dhis2sh.metadata.types.visuals.dashboards import FIELDS, HOLDERS, SPACER
from dhis2sh.pictures.browser.chromium import chromium, first_line
from dhis2sh.pictures.browser.entering import Entering, enter
from dhis2sh.pictures.browser.serving import reachable
from dhis2sh.pictures.definitions import objects, one_of, text
from dhis2sh.show.charts import media
from dhis2sh.words import counted, listed, safe

if TYPE_CHECKING:
    from playwright.async_api import Page

    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

TALLEST = 16_000
"""Pixels that a page may be tall: Chromium's pictures end there."""
ROUNDS = 4
"""So often a page may grow by what is drawn on it; one that always does is as tall as its window."""
LOOKS = 20
"""Pictures that are taken until two are the same."""
STATES = """(wanted) => {
  const BUSY = '[role=progressbar], [data-test*=circularloader], [data-test*=linearloader], [aria-busy=true]';
  const NOTICE = '[data-test*=noticebox], [data-test$=error-container]';
  const BROKEN = 'There was a problem loading this dashboard item';
  const DRAWN = 'svg, canvas, table, img, [data-test=visualization-container] *';
  const seen = e => e.checkVisibility() && e.getBoundingClientRect().width > 1;
  const [wide, tall] = wanted === null ? [200, 60] : [40, 16];  // what is smaller belongs to the frame around it
  const large = e => { const r = e.getBoundingClientRect(); return seen(e) && r.width > wide && r.height > tall; };
  const parts = root => [root, ...[...root.querySelectorAll('iframe')].flatMap(f => {
    let inner = null;
    try { inner = f.contentDocument; } catch { return []; }
    return inner && inner.body ? parts(inner.body) : [];
  })];
  const among = (roots, selector) => roots.flatMap(r => [...r.querySelectorAll(selector)]);
  const late = roots => among(roots, 'iframe').some(f => {
    try { return !f.contentDocument || f.contentDocument.readyState !== 'complete' || !f.contentDocument.body.children.length; }
    catch { return false; }
  });
  const words = e => (e.innerText || '').trim().replace(/\\s+/g, ' ').slice(0, 300);
  const state = (root, plain) => {
    const roots = parts(root);
    if (late(roots) || among(roots, BUSY).some(seen)) return ['busy', ''];
    const notice = among(roots, NOTICE).find(seen);
    if (notice) {
      const wrong = /error/i.test(notice.className + ' ' + (notice.dataset.test || '')) || notice.querySelector('[data-test*=error]');
      return [wrong && !/^No data/i.test(words(notice)) ? 'failed' : 'told', words(notice)];
    }
    if (words(root).includes(BROKEN)) return ['failed', BROKEN];
    if (plain && !root.children.length) return ['busy', ''];  // not loaded yet: it is too far below
    if (plain || among(roots, DRAWN).some(large)) return ['drawn', ''];
    return ['busy', ''];
  };
  if (wanted === null) return {page: state(document.body, false)};
  const everywhere = parts(document.body);
  // items far below load when their container scrolls; a taller window is no scrolling to them
  if (!window.looked || Date.now() - window.looked > 1000) {
    window.looked = Date.now();
    among(everywhere, '.dashboard-scroll-container').forEach(e => e.dispatchEvent(new Event('scroll')));
  }
  return Object.fromEntries(Object.entries(wanted).map(([id, plain]) => {
    const [item] = among(everywhere, `[data-test="dashboarditem-${id}"]`);
    return [id, item ? state(item, plain) : ['missing', '']];
  }));
}"""
SETTLED = f"(wanted) => Object.values(({STATES})(wanted)).every(([state]) => state !== 'busy' && state !== 'missing')"
THERE = f"(wanted) => Object.values(({STATES})(wanted)).every(([state]) => state !== 'missing')"
EXTENT = """(wanted) => {
  let bottom = 0;
  const look = (root, above) => {
    for (const e of root.querySelectorAll('[data-test^=dashboarditem-], [data-test=visualization-container]')) {
      bottom = Math.max(bottom, above + e.getBoundingClientRect().bottom + root.ownerDocument.defaultView.scrollY);
    }
    for (const f of root.querySelectorAll('iframe')) {
      try { if (f.contentDocument.body) look(f.contentDocument.body, above + f.getBoundingClientRect().top); } catch {}
    }
  };
  look(document.body, 0);
  return Math.ceil(bottom ? bottom + 16 : document.documentElement.scrollHeight);
}"""
STILL = """async () => {
  await document.fonts.ready;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


@dataclass(frozen=True, slots=True)
class Screenshot:
    """A picture of a page.

    Parameters:
        id, name, type: the object on it.
        file: where it was written; `width` and `height` in pixels.
        address: the page.
        items: how many items of a dashboard are on it.
        failed: what is not drawn, and what the page says of it; `told` what the page says of those that have nothing to draw.
    """

    id: str
    name: str
    type: str
    file: str
    width: int
    height: int
    address: str
    items: int | None = None
    failed: dict[str, str] = field(default_factory=dict[str, str])
    told: dict[str, str] = field(default_factory=dict[str, str])

    def line(self) -> str:
        """The picture in words."""
        of = f", {counted(self.items, 'item')}" if self.items is not None else ""
        said = [f"\n  {safe(name)}: {safe(why)}" for name, why in (self.failed | self.told).items()]
        return f"{safe(self.name)}: {self.file} ({self.width} x {self.height}{of}){''.join(said)}"

    def __repr__(self) -> str:
        return self.line()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be on a page: the items of a dashboard by UID with their names, and which of them are plain text."""

    uid: str
    name: str
    plural: str
    items: Mapping[str, str] | None = None
    plain: frozenset[str] = frozenset()

    def asked(self) -> dict[str, bool] | None:
        """As the page is asked for it."""
        return None if self.items is None else {uid: uid in self.plain for uid in self.items}

    def named(self, uid: str) -> str:
        """What an item is called."""
        return self.name if self.items is None else self.items.get(uid, uid)


async def screenshot(s: Session, plural: str, uid: str, out: Path, how: Entering, *, width: int) -> Screenshot:
    """A picture of a dashboard, a visualization or a map in the server's own app.

    Parameters:
        plural: `dashboards`, `visualizations` or `maps`.
        uid: the object.
        out: a `.png` file.
        how: how the browser signs in, and how long it waits.
        width: of the page, in pixels.

    Raises `CheckFailed` with the `Screenshot` where something on it says that it failed; the picture is written all the same.
    `TimedOut` names what was not drawn in time, and nothing is written. `SignInError`, `NotFound`, `MissingExtra`, `UsageError`.
    """
    if out.suffix.lower() != ".png":
        raise UsageError(f"{out}: a screenshot is written as .png", hint=f"--out {out.stem or 'picture'}.png")
    wanted = await _wanted(s, plural, uid)
    minor = (await s.client.version()).minor
    from playwright.async_api import Error  # heavy: an extra

    async with reachable(s) as base, chromium(s, width=width, window=how.window) as context:
        page = await enter(s, context, base, how)
        path = app_page(plural, uid, minor=minor)
        s.person.step(f"opening {path}")
        try:
            answer = await page.goto(f"{base}/{path}")
            if answer is not None and answer.status >= 400:
                raise NotDhis2(f"{base}/{path} was answered with status {answer.status}", hint="dhis2 profile verify")
            states, height = await _shown(page, wanted, how.timeout, width)
            picture = await _still(s, page)
        except Error as error:
            told = first_line(error)
            raise NotDhis2(f"{base}/{path} could not be shown: {told}", hint="--window shows the page") from None
    media.write(out, picture)
    shown = struct.unpack(">II", picture[16:24])
    shot = Screenshot(
        uid, wanted.name, plural, str(out), *shown, address=f"{s.profile.url}/{path}",
        items=None if wanted.items is None else len(wanted.items),
        failed={wanted.named(item): why or "failed" for item, (state, why) in states.items() if state == "failed"},
        told={wanted.named(item): why for item, (state, why) in states.items() if state == "told"},
    )  # fmt: skip
    if height >= TALLEST:
        s.person.warn(f"the page is taller than {TALLEST:,} pixels, and cut there")
    if shot.failed:
        names = listed(f"'{name}' ({why})" for name, why in shot.failed.items())
        raise CheckFailed(f"not drawn: {names}", findings=shot, hint=f"the picture with what is there: {out}")
    return shot


async def _wanted(s: Session, plural: str, uid: str) -> _Wanted:
    if plural != "dashboards":
        body = await s.client.get_object(f"{plural}/{uid}", {"fields": "id,displayName"})
        return _Wanted(uid, text(body, "displayName"), plural)
    body = await s.client.get_object(f"dashboards/{uid}", {"fields": f"{FIELDS},displayName"})
    names: dict[str, str] = {}
    plain: set[str] = set()
    for item in objects(body.get("dashboardItems")):
        holder = next((name for name in HOLDERS if isinstance(item.get(name), dict)), "")
        if not holder:
            plain.add(text(item, "id"))
        said = "empty space" if text(item, "text") == SPACER else text(item, "text")[:40] or text(item, "type").lower()
        names[text(item, "id")] = text(one_of(item, holder), "displayName") if holder else said
    return _Wanted(uid, text(body, "displayName"), plural, names, frozenset(plain))


async def _shown(page: Page, wanted: _Wanted, seconds: float, width: int) -> tuple[dict[str, tuple[str, str]], int]:
    """Make the page as tall as what is on it, and wait until all of that is drawn; what each is then, and the height.

    Apps load an item when it comes into sight: first all must be there, then all in sight, and then drawn.
    """
    await _until(page, wanted, seconds, THERE)
    height = 0
    for _ in range(ROUNDS):
        now = max(300, min(int(await page.evaluate(EXTENT)), TALLEST))
        if now <= height:
            break
        height = now
        await page.set_viewport_size({"width": width, "height": height})
        await _until(page, wanted, seconds, SETTLED)
    return await _states(page, wanted.asked()), height


async def _until(page: Page, wanted: _Wanted, seconds: float, condition: str) -> None:
    """Wait until a page says what it is asked. Raises `TimedOut` with what is not drawn."""
    from playwright.async_api import TimeoutError as Late  # heavy: an extra

    asked = wanted.asked()
    try:
        await page.wait_for_function(condition, arg=asked, timeout=seconds * 1000)
    except Late:
        states = await _states(page, asked)
        lacking = [wanted.named(uid) for uid, (state, _) in states.items() if state == "missing"]
        busy = [wanted.named(uid) for uid, (state, _) in states.items() if state == "busy"]
        if lacking and len(lacking) == len(states):
            why = f"the page at {page.url} shows none of the items of '{wanted.name}'"
        else:
            why = f"not drawn within {seconds:.0f} s: {listed(f"'{name}'" for name in busy + lacking)}"
        raise TimedOut(why, hint="--timeout 300, or --window to see the page") from None


async def _states(page: Page, asked: dict[str, bool] | None) -> dict[str, tuple[str, str]]:
    found = cast("JsonObject", await page.evaluate(STATES, asked))
    return {uid: cast("tuple[str, str]", tuple(cast("list[str]", pair))) for uid, pair in found.items()}


async def _still(s: Session, page: Page) -> bytes:
    """A picture on which nothing moves: two in a row are the same."""
    before = b""
    for _ in range(LOOKS):
        await page.evaluate(STILL)
        picture = await page.screenshot(animations="disabled", caret="hide")
        if picture == before:
            return picture
        before = picture
    s.person.warn("something on the page keeps moving: it is as it was seen last")
    return before
