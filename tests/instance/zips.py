"""Zips of apps, as `yarn build` makes them."""

import io
import json
import zipfile


def app(name: str, version: str, **more: object) -> bytes:
    """The zip of an app, the same every time.

    Parameters:
        more: what else its manifest says.
    """
    content = io.BytesIO()
    manifest = {"name": name, "version": version, "launch_path": "index.html", **more}
    with zipfile.ZipFile(content, "w") as archive:
        for file, text in (("manifest.webapp", json.dumps(manifest)), ("index.html", f"<p>{name} {version}</p>")):
            archive.writestr(zipfile.ZipInfo(file), text)
    return content.getvalue()
