"""The refusals of analytics, in the server's words."""

from __future__ import annotations

from dhis2sh.sandbox.refused import Refused

MESSAGES = {
    "E7101": "At least one dimension must be specified",
    "E7102": "At least one data dimension item or data element group set dimension item must be specified",
    "E7103": "Dimensions cannot be specified as dimension and filter simultaneously: `{0}`",
    "E7104": "At least one period as dimension or filter, or start and dates, must be specified",
    "E7105": "Periods and start and end dates cannot be specified simultaneously",
    "E7106": "Start date cannot be after end date",
    "E7107": "Start and end dates cannot be specified for reporting rates",
    "E7108": "Only a single indicator can be specified as filter",
    "E7109": "Only a single reporting rate can be specified as filter",
    "E7110": "Category option combos cannot be specified as filter",
    "E7111": "Dimensions cannot be specified more than once: `{0}`",
    "E7112": "Reporting rates can only be specified together with dimensions of type: `{0}`",
    "E7113": "Assigned categories cannot be specified when data elements are not specified",
    "E7114": "Assigned categories can only be specified together with data elements",
    "E7115": "Data elements must be of a value and aggregation type that allow aggregation: `{0}`",
    "E7116": "Indicator expressions cannot contain cyclic references: `{0}`",
    "E7120": "User: `{0}` is not allowed to view org unit: `{1}`",
    "E7124": "Dimension is present in query without any valid dimension options: `{0}`",
    "E7125": "Dimension identifier does not reference any dimension: `{0}`",
    "E7126": "Column must be present as dimension in query: `{0}`",
    "E7127": "Row must be present as dimension in query: `{0}`",
    "E7128": "Query result set exceeded max limit: `{0}`",
    "E7129": "Program is specified but does not exist: `{0}`",
    "E7130": "Program stage is specified but does not exist: `{0}`",
    "E7132": "An indicator expression caused division by zero operation",
    "E7143": "Organisation unit or organisation unit level is not valid",
    "E7144": "Query failed because a referenced table does not exist. Please ensure analytics job was run",
    "E7146": "A {0} date was not specified in periods, dimensions, filters",
    "E7201": "Dimensions cannot be specified more than once: `{0}`",
    "E7202": "Query items cannot be specified more than once: `{0}`",
    "E7205": "Start and end date or at least one period must be specified",
    "E7206": "Start date is after end date: `{0}`, `{1}`",
    "E7207": "Page number must be a positive number: `{0}`",
    "E7208": "Page size must be zero or a positive number: `{0}`",
    "E7210": "Time field is invalid: `{0}`",
    "E7212": "Cluster size must be a positive number: `{0}`",
    "E7213": "Bbox is invalid, must be on format: 'min-lng,min-lat,max-lng,max-lat': `{0}`",
    "E7214": "Cluster field must be specified when bbox or cluster size are specified",
    "E7215": "Query item cannot specify both legend set and option set: `{0}`",
    "E7221": "Coordinate field is invalid: `{0}`",
    "E7222": "Query item or filter is invalid: `{0}`",
    "E7223": "Value does not refer to a data element or attribute which are numeric and part of the program: `{0}`",
    "E7224": ("Item identifier does not reference any data element, attribute or indicator part of the program: `{0}`"),
    "E7226": "Dimension is not a valid query item: `{0}`",
    "E7229": "Operator `{0}` does not allow missing value",
    "E7230": "Header param `{0}` does not exist",
    "E7611": "Period not valid: `{0}`",
}


def refusal(code: str, *texts: object) -> Refused:
    """A refusal of a code, with its texts filled in."""
    return Refused(409, MESSAGES[code].format(*texts), code)
