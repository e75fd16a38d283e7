"""Two lines from what is known without a request: where we are, and what to try."""

from dhis2sh import __version__, profiles
from dhis2sh.errors import Dhis2Error
from dhis2sh.surfaces.background import known_facts

try:
    _profile = session.profile
    _facts = known_facts(_profile.name)
    _user = _profile.username or (_facts.user if _facts else "")
    print(
        f"dhis2sh {__version__}  {_profile.name}  {_profile.url}"
        + (f"  DHIS2 {_facts.version}" if _facts else "")
        + (f"  as {_user}" if _user else "")
    )
    print("try: %metadata search malaria   %metadata list dataElements | where(valueType == 'NUMBER')   %verbs")
except Dhis2Error as _error:
    print(f"dhis2sh {__version__}  {_error}")
    print(f"try: %profile use {profiles.SANDBOX}   or leave and run: dhis2 profile add NAME --url URL --username USER")
