"""Panels, in the few words that ours need."""

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    logs as logs_builder,
    loki,
    prometheus,
    stat as stat_builder,
    statetimeline,
    table as table_builder,
    timeseries as timeseries_builder,
)
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from . import catalogue

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
LOKI = models.DataSourceRef(type_val="loki", uid="${loki}")


def q(expression, legend=""):
    """A query, and how its series are called."""
    return expression, legend


def _query(expression, legend, ref):
    return prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(ref)


def _thresholds(steps):
    found = [models.Threshold(value=value, color=color) for color, value in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def _runbooks(names):
    links = []
    for name in names:
        title = "Runbooks" if name == "README" else f"Runbook: {name}"
        link = dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK)
        links.append(link.url(f"${{runbooks}}/{name}.md").target_blank(True))
    return links


def _described(text, queries):
    """What it shows and what is healthy, and what the catalogue says of its metrics."""
    measured = [sentence for expression, _ in queries for sentence in catalogue.helps(expression)]
    return "\n\n".join([text, *dict.fromkeys(measured)])


def _panel(builder, title, unit, text, queries, runbooks=(), steps=(("green", None),), w=8, h=8):
    builder.title(title).description(_described(text, queries)).datasource(SOURCE).unit(unit)
    builder.thresholds(_thresholds(steps)).min(0).span(w).height(h)
    for index, (expression, legend) in enumerate(queries):
        builder.with_target(_query(expression, legend, chr(ord("A") + index)))
    if runbooks:
        builder.links(_runbooks(runbooks))
    return builder


def timeseries(title, unit, text, *queries, stacked=False, **said):
    """Lines over time; areas on one another if `stacked`."""
    builder = _panel(timeseries_builder.Panel(), title, unit, text, queries, **said)
    legend = common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.TABLE)
    legend.placement(common_models.LegendPlacement.BOTTOM).calcs(["mean", "lastNotNull"]).show_legend(True)
    mode = common_models.StackingMode.NORMAL if stacked else common_models.StackingMode.NONE
    builder.legend(legend).line_width(1).fill_opacity(20 if stacked else 8)
    builder.show_points(common_models.VisibilityMode.NEVER)
    builder.stacking(common.StackingConfig().mode(mode))
    if any(color == "red" or color == "orange" for color, _ in said.get("steps", ())):
        style = common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.LINE)
        builder.thresholds_style(style)
    return builder


def stat(title, unit, text, *queries, **said):
    """One number."""
    builder = _panel(stat_builder.Panel(), title, unit, text, queries, **{"w": 4, "h": 4, **said})
    return builder.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def states(title, text, *queries, runbooks=(), w=8, h=8):
    """Bars that are green while 1 and red while 0."""
    steps = (("red", None), ("green", 1))
    return _panel(statetimeline.Panel(), title, "none", text, queries, runbooks, steps, w, h).merge_values(True)


def alarms(title, text, *queries, runbooks=(), w=8, h=8):
    """Bars that are green while 0 and red while 1."""
    steps = (("green", None), ("red", 1))
    return _panel(statetimeline.Panel(), title, "none", text, queries, runbooks, steps, w, h).merge_values(True)


def _column(name, links):
    value = [{"title": title, "url": url, "targetBlank": True} for title, url in links]
    return name, [models.DynamicConfigValue(id_val="links", value=value)]


def table(title, unit, text, query, columns, links=(), runbooks=(), **said):
    """Rows as of now. `columns` gives labels their headings; `links` where a column's cells lead."""
    builder = _panel(table_builder.Panel(), title, unit, text, [(query, "")], runbooks, **said)
    builder.targets([_query(query, "", "A").instant().format(prometheus.prometheus.PromQueryFormat.TABLE)])
    organize = {"excludeByName": {"Time": True}, "renameByName": dict(columns)}
    builder.with_transformation(models.DataTransformerConfig(id_val="organize", options=organize))
    for name, targets in links:
        builder.override_by_name(*_column(name, targets))
    return builder


def failures(title, text, selector, **said):
    """The latest failures in the access log, if Loki has it; each leads to its trace and runbook."""
    expression = f'{{service_name="weir"}} | json | weir_fault != "" {selector}'
    builder = _panel(logs_builder.Panel(), title, "none", text, [], **{"w": 24, "h": 9, **said})
    builder.datasource(LOKI).with_target(loki.Dataquery().expr(expression).ref_id("A").max_lines(100))
    builder.show_time(True).enable_log_details(True).wrap_log_message(True)
    return builder
