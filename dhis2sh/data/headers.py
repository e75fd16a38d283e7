"""What people call the columns of a sheet of values, in English, French, Portuguese and Spanish."""

from __future__ import annotations

import re
import unicodedata

_HEADERS = {
    "dataElement": """
        dataelement dataelementid dataelementuid dataelementname dataelementcode de dx data element indicator
        elementdedonnees elementdedonnee elementsdedonnees donnee donnees indicateur
        elementodedados elementosdedados dado dados elementodedatos elementosdedatos dato datos indicador""",
    "period": """
        period periodid periodcode pe month quarter week date reportingperiod reportingmonth
        periode mois trimestre semaine periodederapportage periodederapport moisderapport moisderapportage moisdurapport
        periodo mes semana fecha mesdereporte periododereporte mesdereferencia periododereferencia""",
    "year": "year annee an ano anio",
    "orgUnit": """
        orgunit orgunitid orgunituid orgunitname orgunitcode organisationunit organisationunitid organisationunitname
        organisationunitcode organizationunit ou facility unit orgunits organisationunits facilities facilityname facilitycode
        facilityid facilityuid healthfacility healthfacilityname healthunit healthunitname unitname unitcode site sitename
        reportingunit reportingsite hf hfname
        unitedorganisation unitesdorganisation uniteorganisationnelle unite structure structuresanitaire structuredesante
        formationsanitaire etablissement etablissementdesante etablissementsanitaire fosa nomdelastructure nomdusite
        unidadeorganizacional unidade unidadesanitaria unidadedesaude estabelecimento estabelecimentodesaude
        unidadorganizativa unidadorganizacional unidad unidaddesalud establecimiento establecimientodesalud""",
    "categoryOptionCombo": """
        categoryoptioncombo categoryoptioncomboid categoryoptioncomboname categoryoptioncombination co coc disaggregation
        category combination optioncombo
        combinaisondoptionsdecategorie combinaisondoptionsdecategories combinaisondoptions combinaison desagregation
        ventilation categorie
        combinacaodeopcoesdecategoria combinacaodeopcoes combinacao desagregacao categoria
        combinaciondeopcionesdecategoria combinaciondeopciones combinacion desagregacion""",
    "attributeOptionCombo": """
        attributeoptioncombo attributeoptioncomboid attributeoptioncomboname attributeoptioncombination aoc
        combinaisondoptionsdattribut combinacaodeopcoesdeatributo combinaciondeopcionesdeatributo""",
    "value": "value val valeur valor",
    "comment": "comment comments note notes commentaire commentaires comentario comentarios",
    "followup": "followup",
    "deleted": "deleted",
    "storedBy": "storedby",
    "lastUpdated": "lastupdated timestamp",
    "created": "created",
}
"""What a column may be called, without blanks, marks and accents."""
BY_HEADER = {name: column for column, names in _HEADERS.items() for name in names.split()}
"""The column that DHIS2 has for what people call it."""
CALLED = {"dataElement": "Data element", "period": "Period", "orgUnit": "Facility"}
"""What to call a column that is not understood."""
OPTIONS = {
    "dataElement": "--data-element", "period": "--period", "orgUnit": "--org-unit",
    "categoryOptionCombo": "--category-option-combo", "attributeOptionCombo": "--attribute-option-combo",
}  # fmt: skip
"""The options that say something of all rows."""
PASSED_OVER = {"row", "reason", "code"}
"""What our own file of refused rows has beside the values."""
SET_ASIDE = {
    "total", "totals", "grandtotal", "subtotal", "sum", "sn", "sno", "serialno", "serialnumber", "serial", "no", "number", "nr",
    "rownumber", "remark", "remarks", "remarques", "observation", "observations", "obs", "totaux", "soustotal", "somme", "soma",
    "suma", "numero", "observacao", "observacoes", "observacion", "observaciones",
}  # fmt: skip
"""What people call columns of a wide sheet that hold no values: totals, row numbers, remarks; a data element may be called so all the same."""
_MONTHS, _QUARTERS, _WEEKS = ("{:02}", 12), ("Q{}", 4), ("W{}", 53)
DIVISIONS = {
    "month": _MONTHS, "mois": _MONTHS, "mes": _MONTHS, "quarter": _QUARTERS, "trimestre": _QUARTERS, "week": _WEEKS,
    "semaine": _WEEKS, "semana": _WEEKS,
}  # fmt: skip
"""How a month, quarter or week of a year is written in DHIS2's form, and how many there are."""


def plain(header: str) -> str:
    """A header without what people write in different ways: case, blanks, marks and accents."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", header).lower())
