"""What the generated package `dhis2_models` stands on: the facts of each DHIS2 version and what all models share.

`facts` has types and properties as data, cheap to import; `base` the classes that every model is made of; `lazy` how a
version's package finds a name without importing the others. Nothing here is generated, nothing in `dhis2_models` is not.

May import: the ground; of `dhis2_models` nothing but where it lies.
"""
