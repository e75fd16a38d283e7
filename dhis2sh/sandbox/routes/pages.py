"""Small pages of the sandbox's own, where a server has its apps: a login, a dashboard, a visualization, a map.

They are no imitation of DHIS2's apps: what they share with them are the addresses, the fields of the login, and the marks by
which a page says what is busy, drawn or has failed (`data-test`). What they show is drawn by whoever serves the sandbox.
"""

from __future__ import annotations

from string import Template
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dhis2sh.sandbox.http.answers import base_of
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.people.signin import COOKIE, account_state
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.routes.server import Server

LOGIN, OLD_LOGIN, OLD_POST = (
    "/dhis-web-login/",
    "/dhis-web-commons/security/login.action",
    "/dhis-web-commons-security/login.action",
)
APPS = ("dashboard", "data-visualizer", "maps")
SHELL = 42
"""Since this version apps stand below `/apps/`."""
KINDS = ("visualization", "map", "eventVisualization", "eventChart", "eventReport")
HEADERS = {"Cache-Control": "no-store", "X-Frame-Options": "SAMEORIGIN"}
_STYLE = """<style>
body{font-family:"Liberation Sans",Arial,sans-serif;margin:0;background:#f4f6f8;color:#212934}
header{background:#2c6693;color:#fff;padding:10px 16px}main{padding:12px 16px}
.grid{display:grid;grid-template-columns:repeat(60,1fr);grid-auto-rows:17px;gap:0 8px}
.item{background:#fff;border:1px solid #d5dde5;border-radius:4px;padding:8px;margin-bottom:8px;overflow:auto}
.item h2{font-size:14px;margin:0 0 6px}.error{border:1px solid #d32f2f;background:#ffe5e8;padding:8px}
form{max-width:320px;margin:60px auto;background:#fff;padding:20px;display:grid;gap:10px}
svg{max-width:100%;height:auto}.item svg{max-height:calc(var(--rows) * 17px - 70px)}
</style>"""
_LOGIN_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in</title>{style}</head><body>
<header>The sandbox</header>
<form {action}><label>Username <input name="{user}" autocomplete="username"></label>
<label>Password <input name="{password}" type="password" autocomplete="current-password"></label>
<button type="submit">Log in</button><div id="told"></div></form>{script}</body></html>"""
_LOGIN_SCRIPT = """<script>
document.forms[0].addEventListener('submit', async event => {
  event.preventDefault();
  const {username, password} = event.target;
  const answer = await fetch('../api/auth/login', {method: 'POST', headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({username: username.value, password: password.value})});
  const said = await answer.json();
  if (answer.ok && said.loginStatus === 'SUCCESS') { location.href = '../'; return; }
  const told = document.getElementById('told');
  told.className = 'error'; told.dataset.test = 'dhis2-uicore-noticebox';
  told.textContent = said.message || said.loginStatus;
});
</script>"""
_APP_PAGE = Template("""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>$app</title>$style</head><body>
<header>The sandbox: $app</header><main data-test="$mark"><div role="progressbar">…</div></main><script>
const base = $base, app = $quoted;
const uid = location.hash.replace(/^#[/]?/, '');
const main = document.querySelector('main');
const asked = async path => {
  const answer = await fetch(base + path, {headers: {'X-Requested-With': 'XMLHttpRequest'}});
  if (!answer.ok) { const said = await answer.json().catch(() => ({})); throw new Error(said.message || answer.status); }
  return answer;
};
const notice = (place, error) => {
  place.replaceChildren();
  const box = document.createElement('div');
  box.dataset.test = 'dhis2-uicore-noticebox'; box.className = 'error'; box.textContent = error.message;
  place.append(box);
};
const draw = async (place, kind, id) => {
  try { place.innerHTML = await (await asked('/api/sandboxPages/' + kind + '/' + id)).text(); }
  catch (error) { notice(place, error); }
};
const board = async () => {
  const fields = 'displayName,dashboardItems[id,type,text,x,y,width,height,' +
    'visualization[id,displayName],map[id,displayName],eventVisualization[id,displayName],eventChart[id,displayName],eventReport[id,displayName]]';
  const found = await (await asked('/api/dashboards/' + uid + '?fields=' + fields)).json();
  document.querySelector('header').textContent = found.displayName;
  const places = found.dashboardItems.map(item => {
    const place = document.createElement('section'), inside = document.createElement('div');
    place.className = 'item'; place.dataset.test = 'dashboarditem-' + item.id;
    place.style.gridColumn = ((item.x || 0) + 1) + ' / span ' + (item.width || 29);
    place.style.gridRow = ((item.y || 0) + 1) + ' / span ' + (item.height || 20);
    place.style.setProperty('--rows', item.height || 20);
    const kind = ['visualization', 'map', 'eventVisualization', 'eventChart', 'eventReport'].find(name => item[name]);
    if (kind) {
      const head = document.createElement('h2');
      head.textContent = item[kind].displayName;
      inside.innerHTML = '<div role="progressbar">…</div>';
      place.append(head);
    } else { inside.textContent = item.text || item.type; }
    place.append(inside);
    return [place, inside, kind, item];
  });
  const grid = document.createElement('div');
  grid.className = 'grid';
  grid.append(...places.map(([place]) => place));
  main.replaceChildren(grid);
  await Promise.all(places.filter(([, , kind]) => kind).map(([, inside, kind, item]) => draw(inside, kind, item[kind].id)));
};
(app === 'dashboard' ? board() : draw(main, app === 'maps' ? 'map' : 'visualization', uid)).catch(error => notice(main, error));
</script></body></html>""")


class Api:
    """The handlers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.minor = server.store.version.minor

    @property
    def _login(self) -> str:
        return LOGIN if self.minor > 40 else OLD_LOGIN

    def _known(self, request: Request) -> bool:
        try:
            return self.server.signin.user_of(request) is not None
        except Refused:
            return False

    def root(self, request: Request) -> Response:
        """`/`: the first app, or the login."""
        first = "/apps/dashboard" if self.minor >= SHELL else "/dhis-web-dashboard/"
        return RedirectResponse(base_of(request) + (first if self._known(request) else self._login), 302)

    def login(self, request: Request) -> Response:
        """The login page of 2.41 and later, which asks `/api/auth/login`."""
        page = _LOGIN_PAGE.format(style=_STYLE, action="", user="username", password="password", script=_LOGIN_SCRIPT)  # noqa: S106
        return HTMLResponse(page, headers=HEADERS)

    def old_login(self, request: Request) -> Response:
        """The login page of 2.40, which posts a form."""
        action = f'method="post" action="{base_of(request)}{OLD_POST}"'
        page = _LOGIN_PAGE.format(style=_STYLE, action=action, user="j_username", password="j_password", script="")  # noqa: S106
        return HTMLResponse(page, headers=HEADERS)

    async def old_post(self, request: Request) -> Response:
        """The form of 2.40: a session and the first page, or the form again."""
        sent = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        user = self.server.signin.accounts.named(sent.get("j_username", ""))
        proven = user is not None and self.server.signin.accounts.proven(user, sent.get("j_password", ""))
        if user is None or not proven or account_state(user):
            return RedirectResponse(f"{base_of(request)}{OLD_LOGIN}?failed=true", 302)
        response = RedirectResponse(f"{base_of(request)}/", 302)
        response.set_cookie(COOKIE, self.server.signin.open_session(str(user["id"])), httponly=True, samesite="lax")
        return response

    def app(self, request: Request) -> Response:
        """The page of an app; the login to who has not signed in."""
        app, base = request.path_params["app"], base_of(request)
        if app not in APPS:
            raise Refused(404, page=True)
        if not self._known(request):
            return RedirectResponse(base + self._login, 302)
        if self.minor >= SHELL and not request.url.path.startswith("/apps/"):
            return RedirectResponse(f"{base}/apps/{app}", 302)
        mark = "dashboard" if app == "dashboard" else "visualization-container"
        return HTMLResponse(
            _APP_PAGE.substitute(style=_STYLE, app=app, quoted=repr(app), base=repr(base), mark=mark), headers=HEADERS
        )

    async def drawn(self, request: Request) -> Response:
        """`/api/sandboxPages/{kind}/{uid}`: what a page shows, drawn by whoever serves the sandbox."""
        draw, kind = self.server.draw, request.path_params["kind"]
        if draw is None or kind not in KINDS:
            raise not_imitated("pictures, where nobody draws them: `dhis2 sandbox serve` does")
        names = ("cookie", "authorization")
        headers = {name: value for name in names if (value := request.headers.get(name))}
        return HTMLResponse(await draw(kind, request.path_params["uid"], headers), headers=HEADERS)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    old = server.store.version.minor < 41
    login = (
        [Route(OLD_LOGIN, api.old_login), Route(OLD_POST, api.old_post, methods=["POST"])]
        if old
        else [Route(LOGIN, api.login)]
    )
    shell = (
        [Route("/apps/{app}", api.app), Route("/apps/{app}/", api.app)] if server.store.version.minor >= SHELL else []
    )
    return [
        Route("/", api.root),
        *login,
        *shell,
        Route("/dhis-web-{app}/", api.app),
        Route("/dhis-web-{app}/index.html", api.app),
        Route("/api/sandboxPages/{kind}/{uid}", api.drawn),
    ]
