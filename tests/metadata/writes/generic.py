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
    Writing(
        "metadata create",
        "dataElementGroups --set name=New --set shortName=New --set id=deGroupNew1 --set 'dataElements=DE_1;Remark'",
        {
            "type": "dataElementGroups",
            "set": ["name=New", "shortName=New", "id=deGroupNew1", "dataElements=DE_1;Remark"],
        },
    ),
    Writing(
        "metadata create",
        "dataElementGroups --from groups.csv --skip-existing",
        {"type": "dataElementGroups", "from_": "groups.csv", "skip_existing": True},
        files={"groups.csv": "Short name;dataElements;NAME\nA;DE_1,Remark;A\nB;;B\n"},
        made=True,
    ),
    Writing(
        "metadata update",
        "dataElements --from elements.json",
        {"type": "dataElements", "from_": "elements.json"},
        files={"elements.json": [{"code": "DE_1", "zeroIsSignificant": True}, {"id": "deText00001", "name": "Note"}]},
    ),
    Writing(
        "metadata data-elements update",
        "DE_1 --zero-is-significant",
        {"uid": "DE_1", "zeroIsSignificant": True},
    ),
    Writing(
        "metadata clone",
        "dataElementGroups Vaccines --name Copy",
        {"type": "dataElementGroups", "uid": "Vaccines", "name": "Copy"},
        made=True,
    ),
    Writing("metadata delete", "dataElements Remark", {"type": "dataElements", "objects": ["Remark"]}),
    Writing(
        "metadata add",
        "dataElementGroups Vaccines Remark",
        {"type": "dataElementGroups", "uid": "Vaccines", "items": ["Remark"]},
    ),
    Writing(
        "metadata add-members",
        "dataElementGroups members.csv",
        {"type": "dataElementGroups", "file": "members.csv"},
        files={"members.csv": "data element group uid,data element uid\nVaccines,Remark\n"},
    ),
    Writing(
        "metadata remove",
        "dataElementGroups Vaccines DE_1 DE_2",
        {"type": "dataElementGroups", "uid": "Vaccines", "items": ["DE_1", "DE_2"]},
    ),
    Writing(
        "metadata translate import",
        "fr.csv",
        {"file": "fr.csv"},
        files={"fr.csv": "type,id,property,locale,translation\ndataElements,DE_1,name,fr,BCG donné\n"},
    ),
    Writing(
        "metadata attribute set",
        "dataElements KE 7 --all",
        {"type": "dataElements", "attribute": "KE", "value": "7", "all": True},
        home="attribute_home",
    ),
    Writing(
        "metadata attribute delete",
        "dataElements KE DE_1",
        {"type": "dataElements", "attribute": "KE", "objects": ["DE_1"]},
        home="attribute_home",
    ),
]
