"""What DHIS2 servers of 2.40 to 2.44 know of their metadata, and their objects as pydantic models.

`facts` has types and properties as data, cheap to import; `v40` to `v44` have the models of each version, `runtime` what
those share. The folders of the versions are generated (`dhis2 dev codegen build`), the modules beside them are not.
"""
