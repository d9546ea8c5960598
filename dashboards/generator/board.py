"""What all dashboards have in common: variables, links among each other, marks of deploys and reloads."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from .panels import SOURCE

# Their uids and titles, in the order in which they link to each other.
ALL = {
    "weir-overview": "Weir: overview",
    "weir-route": "Weir: route",
    "weir-upstream": "Weir: upstream",
    "weir-llm": "Weir: language models",
    "weir-quotas": "Weir: quotas",
    "weir-events": "Weir: events",
    "weir-gateway": "Weir: the gateway itself",
}

# Variables by name: their labels, and the metric and label whose values they have.
ASKED = {
    "instance": ("Gateway", "weir_build_info", "instance"),
    "route": ("Route", "http_server_request_duration_seconds_count", "weir_route"),
    "team": ("Team", "http_server_request_duration_seconds_count", "weir_team"),
    "upstream": ("Upstream", "http_client_request_duration_seconds_count", "weir_upstream"),
    "model": ("Model", "gen_ai_client_operation_duration_seconds_count", "weir_model"),
    "provider": ("Provider", "gen_ai_client_operation_duration_seconds_count", "weir_provider"),
    "quota": ("Quota", "weir_quota_limit", "quota"),
    "cluster": ("Kafka cluster", "weir_kafka_producer_records", "weir_kafka_cluster"),
}


def _source(name, kind, label):
    return dashboard.DatasourceVariable(name).label(label).type(kind)


def _asked(name):
    label, metric, of = ASKED[name]
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE)
    variable.query(f"label_values({metric}, {of})").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable.sort(models.VariableSort.ALPHABETICAL_ASC).multi(True).include_all(True).all_value(".*")
    return variable.current(models.VariableOption(text="All", value="$__all", selected=True))


def _mark(name, expression, color):
    mark = dashboard.AnnotationQuery().name(name).datasource(SOURCE).enable(True)
    return mark.icon_color(color).expr(expression)


def board(uid, text, variables, rows):
    """A dashboard: `rows` are pairs of a heading and panels."""
    built = dashboard.Dashboard(ALL[uid]).uid(uid).description(text).tags(["weir"]).editable()
    built.time("now-1h", "now").refresh("30s").timezone("browser")
    built.tooltip(models.DashboardCursorSync.CROSSHAIR)
    built.with_variable(_source("datasource", "prometheus", "Prometheus"))
    built.with_variable(_source("loki", "loki", "Loki"))
    for name in variables:
        built.with_variable(_asked(name))
    there = models.VariableOption(text="/public/runbooks", value="/public/runbooks")
    runbooks = dashboard.TextBoxVariable("runbooks").label("Runbooks at")
    built.with_variable(runbooks.default_value("/public/runbooks").current(there))
    reloads = "changes(weir_config_last_reload_timestamp_seconds[1m]) > 0"
    built.annotation(_mark("Reloads", reloads, "blue"))
    deploys = 'changes(process_start_time_seconds{job="weir"}[1m]) > 0'
    built.annotation(_mark("Deploys", deploys, "purple"))
    page = models.DashboardLinkType.LINK
    for title, name in (("Runbooks", "README"), ("Clients see 5xx", "502-503"), ("Slow?", "latency")):
        link = dashboard.DashboardLink(title).type(page).url(f"${{runbooks}}/{name}.md").icon("doc")
        built.link(link.target_blank(True))
    for other, title in ALL.items():
        if other != uid:
            link = dashboard.DashboardLink(title.removeprefix("Weir: ")).type(page).url(f"/d/{other}")
            built.link(link.icon("dashboard").keep_time(True).include_vars(True))
    for heading, panels in rows:
        built.with_row(dashboard.Row(heading))
        for panel in panels:
            built.with_panel(panel)
    return built.build()
