"""Where DHIS2's descriptions of itself are wrong or silent, as data. Each row has a reason; the build log names each one used.

`quirk` is the row's number in the list of known quirks; None where a recording showed it first.
"""

from dataclasses import dataclass

ALL = ("v40", "v41", "v42", "v43", "v44")


@dataclass(frozen=True, slots=True)
class Patch:
    """Another type for a property, or for a component as a whole; a property that a component lacks is added to it.

    `owner` is a component, a type of /api/schemas by its class, or `*`; `property` is the key on the wire, or None for the
    component itself. `shape` is a shape of the OpenAPI manifest (see `codegen.openapi`).
    """

    owner: str
    property: str | None
    shape: str
    reason: str
    quirk: str | None = None
    versions: tuple[str, ...] = ALL

    def __str__(self) -> str:
        target = self.owner if self.property is None else f"{self.owner}.{self.property}"
        return f"{target} = {self.shape}: {self.reason}" + (f" (quirk {self.quirk})" if self.quirk else "")


_PERIOD = '{"properties": {"id": "string:period"}}'
_AS_OBJECT = "said to be text; the wire has an object, the ISO period is its id"
_STARTED = "in every step of a job's progress, and described in none"
_IDENTIFIABLE = "described without what every object has; the wire has it"
_SCHEMES = "every scheme that was asked for stands in the answer; three are described"

PATCHES: tuple[Patch, ...] = (
    Patch("ErrorCode", None, "string", "some 490 codes that grow with every release; a new one must be readable", "L3"),
    Patch("*", "errorCode", "string", "the same codes, written out in place", "L3", ("v40", "v41")),
    Patch(
        "AttributeValues",
        None,
        '["#AttributeValue"]',
        "described by a getter of the Java class; the wire has the list",
        "L2",
        ("v42", "v43", "v44"),
    ),
    Patch("WebMessage", "response", "any", "described as another WebMessage or as nothing", "15", ("v40", "v41")),
    Patch("DimensionalObject", "id", "string", "said to be a number; the wire has a UID or `dx`", "L2", ("v40",)),
    Patch(
        "ApprovalStatusDto",
        "pe",
        "string:period",
        "said to be an object; the wire has the ISO period",
        "L2",
        ("v43", "v44"),
    ),
    Patch(
        "Page",
        "items",
        '["any"]',
        "one component for the pages of many types names the last",
        None,
        ("v42", "v43", "v44"),
    ),
    Patch("ApprovalsDto", "pe", '["string:period"]', "the same where approvals are sent", "L2", ("v43", "v44")),
    Patch("DataValuePostParams", "period", "string:period", "the same in data entry", "L2", ("v43", "v44")),
    Patch("DeflatedDataValue", "period", _PERIOD, _AS_OBJECT, "L2", ("v40", "v41", "v42")),
    Patch("LockException", "period", _PERIOD, _AS_OBJECT, "L2", ("v42",)),
    Patch("MapView", "periods", f"[{_PERIOD}]", _AS_OBJECT, "L2", ("v40", "v41", "v42")),
    Patch("MapViewParams", "periods", f"[{_PERIOD}]", _AS_OBJECT, "L2", ("v42",)),
    Patch("Process", "startedTime", "string:date-time", _STARTED),
    Patch("Stage", "startedTime", "string:date-time", _STARTED),
    Patch("Item", "startedTime", "string:date-time", _STARTED),
    Patch("PotentialDuplicate", "user", "#BaseIdentifiableObject", _IDENTIFIABLE, None, ("v42",)),
    Patch("PotentialDuplicate", "id", "string:uid", _IDENTIFIABLE, None, ("v43", "v44")),
    Patch("PotentialDuplicate", "attributeValues", '["#AttributeValue"]', _IDENTIFIABLE, None, ("v43", "v44")),
    Patch("PotentialDuplicate", "sharing", "#Sharing", _IDENTIFIABLE, None, ("v43", "v44")),
    Patch("PotentialDuplicate", "translations", '["#Translation"]', _IDENTIFIABLE, None, ("v43", "v44")),
    Patch("DataValueSet", "attributeOptionComboIdScheme", "string", _SCHEMES, None, ("v43", "v44")),
    Patch("DataValueSet", "categoryIdScheme", "string", _SCHEMES, None, ("v43", "v44")),
    Patch("DataValueSet", "categoryOptionIdScheme", "string", _SCHEMES, None, ("v43", "v44")),
    Patch("*", "args", '["any"]', "an argument of a message may be null"),
    Patch("JsonValue", None, "any", "described by the getters of a Java class; it is any JSON", "L2", ("v41",)),
    Patch("JsonRoot", None, "any", "described by the getters of a Java class; it is any JSON", "L2", ("v40", "v41")),
    Patch(
        "Map",
        "mapViews",
        '["!MapView"]',
        "sent whole with their map, though a type of their own since 2.43",
        None,
        ("v43", "v44"),
    ),
)

# Components that are written into the object that has them (Java's @JsonUnwrapped), which the description leaves out
UNWRAPPED = {"DataIntegrityDetails": "DataIntegrityCheck", "DataIntegritySummary": "DataIntegrityCheck"}

# A reference to a type that the server writes with more than an id, by Java class: the component that has the rest.
REFERENCE_MODELS = {"org.hisp.dhis.user.User": "UserDto"}  # username and name, wherever a user is referred to


@dataclass(frozen=True, slots=True, eq=False)
class Discriminator:
    """The property that tells the variants of a `oneOf` apart, which DHIS2's description leaves out."""

    property: str
    tags: dict[str, str]  # constant by component
    reason: str
    quirk: str | None = None


DISCRIMINATORS: tuple[Discriminator, ...] = (
    Discriminator(
        "type",
        {
            "ApiHeadersAuthScheme": "api-headers",
            "ApiQueryParamsAuthScheme": "api-query-params",
            "ApiTokenAuthScheme": "api-token",
            "HttpBasicAuthScheme": "http-basic",
            "OAuth2ClientCredentialsAuthScheme": "oauth2-client-credentials",
        },
        "how a route or a webhook signs in",
        "14",
    ),
    Discriminator(
        "type",
        {"ConsoleTarget": "console", "JmsTarget": "jms", "KafkaTarget": "kafka", "WebhookTarget": "webhook"},
        "where an event hook sends",
    ),
    Discriminator(
        "type",
        {
            "IpAllowedList": "IpAllowedList",
            "MethodAllowedList": "MethodAllowedList",
            "RefererAllowedList": "RefererAllowedList",
        },
        "what a personal access token is limited to",
    ),
    Discriminator(
        "op",
        {
            "AddOperation": "add",
            "RemoveByIdOperation": "remove-by-id",
            "RemoveOperation": "remove",
            "ReplaceOperation": "replace",
        },
        "an operation of a JSON patch",
    ),
)

# oneOf that stay plain JSON, by the property's name on the wire
UNDISCRIMINATED: dict[str, tuple[str, str | None]] = {
    "jobParameters": (
        "the variant follows from `jobType` of the object around it, which no discriminator can name",
        "15",
    ),
    "response": (
        "told apart by `responseType`, which is the class name on older servers and not in the variants",
        "15",
    ),
}

# Components that stand for "some object with an id": what refers to one is a Reference.
REFERENCES = frozenset(
    [
        "BaseDimensionalItemObject",
        "BaseDimensionalObject",
        "BaseIdentifiableObject",
        "BaseNameableObject",
        "DimensionalItemObject",
        "DimensionalObject",
        "IdentifiableObject",
    ]
)
