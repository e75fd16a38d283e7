"""A project's file of profiles as a plan: what somebody agrees to who trusts it."""

from __future__ import annotations

from dhis2sh import profiles
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.project_files import ProfilesFile


def trusting(file: ProfilesFile) -> Plan:
    """The plan to trust a project's file, with all that it would change. Raises `ConfigError` where it may not say what it says."""
    mine = profiles.profiles_with(None)
    with_it = profiles.profiles_with(file)
    steps = [
        PlanStep("update" if name in mine else "create", "profile", name=name, detail=in_words(with_it[name]))
        for name in file.tables
    ]
    if file.active is not None:
        steps.append(PlanStep("set", "active profile", name=file.active, detail="in this folder and those below it"))
    plan = Plan(f"trust {file.path}", steps, payload=file, local=True, asks=True)
    if not steps:
        plan.notes.append("it says nothing")
    return plan


def in_words(profile: profiles.Profile) -> str:
    """A profile in one line: where, as whom, and how carefully."""
    more = [word for word in profiles.TIGHTENING if getattr(profile, word)]
    more += [] if profile.verify_tls else ["any certificate is accepted"]
    who = f" as {profile.username}" if profile.username else ""
    return ", ".join([f"{profile.url}{who}", *more])
