"""Quotas: decisions, how full they are, debt, and the stores they are kept in."""

from .board import board
from .panels import alarms, q, timeseries
from .words import quantile, rate

WHERE = 'quota=~"$quota"'

DECIDED = [
    timeseries(
        "Refused share", "percentunit", "Of what asked. Healthy: what you planned for.",
        q('quota:weir_quota_decisions:refused_ratio_rate5m{quota=~"$quota"}', "{{quota}}"), runbooks=["quota_exhausted"],
        steps=(("green", None), ("orange", 0.2)),
    ),
    timeseries(
        "Decisions", "ops", "admitted, refused, not_enforced (it would have been refused), allowed while the store was down.",
        q(rate("weir_quota_decisions_total", "quota, decision", WHERE), "{{quota}} {{decision}}"), runbooks=["quota_exhausted"],
    ),
    timeseries(
        "Units by team", "none", "Settled per second.",
        q(rate("weir_quota_units_total", "quota, weir_team", WHERE + ', state="settled"'), "{{quota}} {{weir_team}}"),
        runbooks=["quota_exhausted"],
    ),
]

STANDING = [
    timeseries(
        "Fullest key, share of its limit", "percentunit", "Healthy: below 0.9.",
        q('quota:weir_quota_fullest:max{quota=~"$quota"}', "{{quota}}"), runbooks=["quota_exhausted"],
        steps=(("transparent", None), ("orange", 0.9), ("red", 1)),
    ),
    timeseries(
        "Used beside the limit", "short", "Over all keys; the limit is that of one key, where no override says otherwise.",
        *(q(f'max by (quota) (weir_quota_standing{{{WHERE}, state="{state}"}})', "{{quota}} " + state) for state in ("used", "reserved")),
        q(f"max by (quota) (weir_quota_limit{{{WHERE}}})", "{{quota}} limit"), runbooks=["quota_exhausted"],
    ),
    timeseries(
        "Debt and credit", "short", "What was used beyond reservations, and what was granted by hand. Healthy: no debt.",
        *(q(f'max by (quota) (weir_quota_standing{{{WHERE}, state="{state}"}})', "{{quota}} " + state) for state in ("debt", "credit")),
        runbooks=["quota_debt"],
    ),
    timeseries("Keys", "short", "How many are counted.", q(f"max by (quota) (weir_quota_keys{{{WHERE}}})", "{{quota}}")),
    alarms(
        "Not enforced", "Red while a quota only counts.",
        q(f"1 - max by (quota) (weir_quota_enforced{{{WHERE}}})", "{{quota}}"), runbooks=["quota_exhausted"],
    ),
    timeseries(
        "Changes by hand", "ops", "Grants, resets and other changes on the admin address.",
        q(rate("weir_admin_changes_total", "action, result"), "{{action}}: {{result}}"),
    ),
]

STORES = [
    timeseries(
        "Time of an entry", "s", "Healthy: p99 below 10 ms.",
        *(q(quantile(p, "weir_quota_store_duration_seconds", "store"), "{{store}} " + name) for p, name in ((0.5, "p50"), (0.99, "p99"))),
        runbooks=["quota_store_unavailable"], w=6,
    ),
    timeseries(
        "Decisions made at once", "percentunit", "By what had been booked ahead, without asking the store. Healthy: above 0.9.",
        q("store:weir_quota_store_decisions:at_once_ratio_rate5m", "{{store}}"), w=6,
    ),
    timeseries(
        "Failures, and who keeps the file", "short", "Healthy: no failure, and one keeper.",
        q(rate("weir_quota_store_failures_total", "store"), "{{store}} failures per second"),
        q("sum by (store) (weir_quota_store_keeper)", "{{store}} keepers"), runbooks=["quota_store_unavailable"], w=6,
    ),
    alarms(
        "Unfit", "Red while a store's servers may forget.",
        q("max by (store, fault) (weir_quota_store_faults)", "{{store}}: {{fault}}"), runbooks=["quota_store_unfit"], w=6,
    ),
]

BOARD = board(
    "weir-quotas", "What quotas decide, how full they are, and whether what counts them works.", ["quota"],
    [("Decisions", DECIDED), ("How they stand", STANDING), ("Stores", STORES)],
)
