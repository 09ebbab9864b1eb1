"""No password of the run is in what its parts wrote down."""

from harness.judge.laws.law import Case, Finding, Law


def find(case: Case) -> Finding:
    """A log or a part's records with a password of the run, as it is, percent-encoded, in base64 or in hex.

    The bed knows the passwords and looked for them when all parts had ended; the judge knows none.
    """
    finding = Finding()
    searches = case.evidence.records.of("harness", "secrets.searched")
    if not searches:
        finding.undecided = "nobody looked for the passwords"
    for search in searches:
        finding.looked_at += search.whole("files")
        for place in search.texts("found"):
            finding.add(f"{place} holds a password of the run")
    return finding


LAW = Law(
    name="no-secret-told",
    sentence="No password of the run is in any log or record.",
    witnesses=("harness",),
    essential=(),
    find=find,
)
