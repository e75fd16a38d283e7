"""Verbs that any type has."""

from tests.metadata.writes import Writing

GROUP = {"name": "New", "shortName": "New", "id": "deGroupNew1"}
WRITES = [
    Writing("metadata data-element-groups create", "--name New --short-name New --id deGroupNew1", GROUP),
    Writing("metadata data-elements update", "DE_1 --description Words", {"uid": "DE_1", "description": "Words"}),
    Writing(
        "metadata rename",
        "dataElements --all --prefix 'X '",
        {"type": "dataElements", "all": True, "prefix": "X "},
    ),
    Writing("metadata data-elements rename", "DE_2 --set OPV", {"objects": ["DE_2"], "set": "OPV"}),
    Writing(
        "metadata retag",
        "dataElements DE_1 --set aggregationType=AVERAGE",
        {"type": "dataElements", "objects": ["DE_1"], "set": ["aggregationType=AVERAGE"]},
    ),
    Writing(
        "metadata patch",
        """dataElements DE_1 --patch '[{"op":"remove","path":"/code"}]'""",
        {"type": "dataElements", "objects": ["DE_1"], "patch": '[{"op":"remove","path":"/code"}]'},
    ),
    Writing("metadata share", "dataElements --all --public r", {"type": "dataElements", "all": True, "public": "r"}),
    Writing("metadata data-element-groups add", "Vaccines Remark", {"uid": "Vaccines", "items": ["Remark"]}),
    Writing("metadata data-element-groups remove", "Vaccines DE_1", {"uid": "Vaccines", "items": ["DE_1"]}),
    Writing("metadata data-element-groups delete", "Vaccines", {"objects": ["Vaccines"]}),
]
