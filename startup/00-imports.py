"""Names that are at hand in every session."""

import asyncio
import json
from pathlib import Path
