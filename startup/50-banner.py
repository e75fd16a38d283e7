"""Two lines from what is known without a request: where we are, and what to try."""

from dhis2sh import __version__, profiles
from dhis2sh.errors import Dhis2Error

try:
    _profile = session.profile
    print(
        f"dhis2sh {__version__}  {_profile.name}  {_profile.url}"
        + (f"  as {_profile.username}" if _profile.username else "")
    )
    print("try: %metadata search malaria   %metadata list dataElements | where(valueType == 'NUMBER')   %verbs")
except Dhis2Error as _error:
    print(f"dhis2sh {__version__}  {_error}")
    print(f"try: %profile use {profiles.SANDBOX}   or leave and run: dhis2 profile add NAME --url URL --username USER")
