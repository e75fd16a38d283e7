"""Keys that servers send and that their descriptions do not have, each with the reason: reviewed, not collected.

'Class.key' for every version, 'v44 Class.key' for one, 'Class.*' for any key.
"""

UNKNOWN: dict[str, str] = {
    "Reference.*": "a reference may be asked for with any field of the object (`categoryCombo[id,categories]`)",
    "DimensionalObject.displayName": "a Java interface; its description has the getters that it declares itself, not `displayName`",
    "v40 MapView.name": "an embedded type in 2.40: its schema has no name, and still it is written with one",
    "v41 MapView.name": "the same in 2.41",
    "v43 Message.id": "a record of its own in OpenAPI since 2.42; inherited fields are left out of the description",
    "v44 Message.id": "the same in 2.44",
    "MessageConversation.text": "what is sent makes a message; the description is of the conversation that comes of it",
    "MessageConversation.users": "the receivers of the first message, as `text`",
    "MessageConversationParams.text": "as in 2.40 and 2.41",
    "MessageConversationParams.users": "as in 2.40 and 2.41",
    "v40 ValidationRulesAnalysisParams.maxResults": "sent by the recording; servers ignore keys that they do not know",
    "DataElement.unknownField": "sent by the recording to see that it is ignored",
    "DataElementParams.unknownField": "sent by the recording to see that it is ignored",
    "v41 Sharing.external": "sent by the recording as to 2.40 and 2.42; 2.41 does not have it",
    "v43 Sharing.external": "gone since 2.43 and ignored when it is sent",
    "v44 Sharing.external": "the same in 2.44",
    "v43 DataApprovalLevelParams.name": "made from the level and the category; not described as something to send",
    "v44 DataApprovalLevelParams.name": "the same in 2.44",
}
