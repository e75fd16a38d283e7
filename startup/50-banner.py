"""Two lines from what is known without a request: where we are, and what to try."""

from dhis2sh import __version__, profiles
from dhis2sh.client.known import Known
from dhis2sh.errors import Dhis2Error

try:
    _profile = session.profile
    _known = Known(_profile.name, _profile.url).read(stale=True)
    _user = _profile.username or (_known and _known.username)
    print(
        f"dhis2sh {__version__}  {_profile.name}  {_profile.url}"
        + (f"  DHIS2 {_known.version}" if _known else "")
        + (f"  as {_user}" if _user else "")
    )
    print("try: metadata search malaria   metadata list dataElements | head(5)   ? explains")
except Dhis2Error as _error:
    print(f"dhis2sh {__version__}  {_error}")
    print(f"try: %profile use {profiles.SANDBOX}   or leave and run: dhis2 profile add NAME --url URL --username USER")
