"""Language models: calls, tokens, money and speed, by model, provider, team and consumer."""

from .board import board
from .panels import alarms, q, stat, table, timeseries
from .words import quantile, rate

WHERE = 'weir_team=~"$team", weir_model=~"$model", weir_provider=~"$provider"'
# What consumers are counted by has no provider.
BY_CONSUMER = 'weir_team=~"$team", weir_model=~"$model"'
CALLS = "gen_ai_client_operation_duration_seconds"
TOKENS, COST = "weir_llm_tokens_total", "weir_llm_cost_dollars_total"
ITS_FAILURES = WHERE + ', error_type!~"|4[0-9][0-9]|client_disconnected|draining"'
FAILED = WHERE + ', error_type!=""'

GLANCE = [
    stat("Calls", "reqps", "Tries to have a provider answer, per second.", q(rate(f"{CALLS}_count", where=WHERE), "calls")),
    stat(
        "Failed at a provider", "percentunit",
        "Share of calls that failed by a provider's fault. Healthy: below 1 %; callers may notice nothing, where another target answers.",
        q(f"({rate(f'{CALLS}_count', where=ITS_FAILURES)} or vector(0)) / {rate(f'{CALLS}_count', where=WHERE)}", "failed"),
        runbooks=["provider_error"], steps=(("green", None), ("orange", 0.01), ("red", 0.2)),
    ),
    stat("Tokens per minute", "none", "Of prompts and answers.", q(f"{rate(TOKENS, where=WHERE)} * 60", "tokens")),
    stat("Dollars per hour", "currencyUSD", "At the prices known.", q(f"{rate(COST, where=WHERE)} * 3600", "dollars")),
    stat(
        "First chunk, p95", "s", "Streams: from the provider being asked to the first piece. Healthy: below three seconds.",
        q(quantile(0.95, "gen_ai_client_operation_time_to_first_chunk_seconds", where=WHERE), "p95"),
        runbooks=["latency"], steps=(("green", None), ("orange", 3), ("red", 10)),
    ),
    stat(
        "Asked somebody else", "reqps", "Calls that the next target was asked to answer. Healthy: near zero.",
        q(rate("weir_upstream_retries_total", where='reason="fallback"'), "fallbacks"), runbooks=["provider_error"],
    ),
]

MONEY = [
    timeseries(
        "Dollars per hour by team", "currencyUSD", "At the prices known; a model without a price costs nothing here.",
        q(f"{rate(COST, 'weir_team', WHERE)} * 3600", "{{weir_team}}"), stacked=True,
    ),
    timeseries(
        "Dollars per hour by model", "currencyUSD", "By the name callers use, and who answered.",
        q(f"{rate(COST, 'weir_model, gen_ai_request_model, weir_provider', WHERE)} * 3600",
          "{{weir_model}}: {{weir_provider}} {{gen_ai_request_model}}"), stacked=True,
    ),
    timeseries(
        "Dollars per hour, dearest consumers", "currencyUSD", "Consumers beyond the series budget are counted together, as overflow.",
        q(f"topk(10, {rate('weir_llm_consumer_cost_dollars_total', 'weir_consumer, weir_team', BY_CONSUMER)}) * 3600",
          "{{weir_consumer}} ({{weir_team}})"), runbooks=["series_budget_reached"],
    ),
    table(
        "Spent: day, month, and where the month is going", "currencyUSD",
        "Per team, from the rule that counts dollars per hour: the last 24 hours, the last 30 days, and 30 days at today's pace.",
        'label_replace(sum by (weir_team) (sum_over_time(team_model:weir_llm_cost_dollars:increase1h{weir_team=~"$team"}[1d:1h])), "over", "day", "", "") '
        'or label_replace(sum by (weir_team) (sum_over_time(team_model:weir_llm_cost_dollars:increase1h{weir_team=~"$team"}[30d:1h])), "over", "30 days", "", "") '
        'or label_replace(sum by (weir_team) (sum_over_time(team_model:weir_llm_cost_dollars:increase1h{weir_team=~"$team"}[1d:1h])) * 30, "over", "30 days at today\'s pace", "", "")',
        {"weir_team": "team", "Value": "dollars"}, w=12,
    ),
    timeseries(
        "Dollars per 1,000 calls", "currencyUSD", "By model: what a change of target or prompt did.",
        q(f"{rate(COST, 'weir_model', WHERE)} / {rate(f'{CALLS}_count', 'weir_model', WHERE)} * 1000", "{{weir_model}}"), w=12,
    ),
]

USED = [
    timeseries(
        "Tokens per minute by model", "none", "Of prompts (input) and answers (output).",
        q(f"{rate(TOKENS, 'weir_model, gen_ai_token_type', WHERE)} * 60", "{{weir_model}} {{gen_ai_token_type}}"),
        runbooks=["provider_rate_limited"],
    ),
    timeseries(
        "Tokens per minute by team", "none", "Beside their quotas.",
        q(f"{rate(TOKENS, 'weir_team', WHERE)} * 60", "{{weir_team}}"), runbooks=["quota_exhausted"],
    ),
    timeseries(
        "Tokens per minute, busiest consumers", "none", "The ten who use the most.",
        q(f"topk(10, {rate('weir_llm_consumer_tokens_total', 'weir_consumer, weir_team', BY_CONSUMER)}) * 60",
          "{{weir_consumer}} ({{weir_team}})"), runbooks=["quota_exhausted"],
    ),
    timeseries(
        "Input from a provider's cache", "percentunit", "Share of input tokens that a provider had kept. More is cheaper.",
        q(rate("weir_llm_token_parts_total", "gen_ai_request_model", WHERE + ', part="cache_read"') + " / "
          + rate(TOKENS, "gen_ai_request_model", WHERE + ', gen_ai_token_type="input"'), "{{gen_ai_request_model}}"),
    ),
    timeseries(
        "Output spent on thinking", "percentunit", "Share of output tokens that no caller reads.",
        q(rate("weir_llm_token_parts_total", "gen_ai_request_model", WHERE + ', part="reasoning"') + " / "
          + rate(TOKENS, "gen_ai_request_model", WHERE + ', gen_ai_token_type="output"'), "{{gen_ai_request_model}}"),
    ),
    timeseries(
        "Where counts come from", "none", "Tokens per minute as reported (provider), counted here, or only bounded (estimated). Healthy: little estimated.",
        q(f"{rate(TOKENS, 'weir_provider, provenance', WHERE)} * 60", "{{weir_provider}} {{provenance}}"),
        runbooks=["provider_response_invalid"],
    ),
]

SPEED = [
    timeseries(
        title, "s", text,
        q(quantile(0.5, metric, "gen_ai_request_model, weir_provider", WHERE), "{{weir_provider}} {{gen_ai_request_model}} p50"),
        q(quantile(0.95, metric, "gen_ai_request_model, weir_provider", WHERE), "{{weir_provider}} {{gen_ai_request_model}} p95"),
        runbooks=["latency"],
    )
    for title, metric, text in (
        ("Until the first chunk", "gen_ai_client_operation_time_to_first_chunk_seconds", "Streams only. Healthy: below three seconds."),
        ("Between chunks", "gen_ai_client_operation_time_per_output_chunk_seconds", "Streams only, as received. Healthy: below 100 ms."),
        ("Whole calls", CALLS, "Streams and others, to the last byte."),
    )
] + [
    timeseries(
        "Output tokens per second of a call", "none", "How fast models write.",
        q(rate(TOKENS, "gen_ai_request_model, weir_provider", WHERE + ', gen_ai_token_type="output"') + " / "
          + rate(f"{CALLS}_sum", "gen_ai_request_model, weir_provider", WHERE + ', error_type=""'),
          "{{weir_provider}} {{gen_ai_request_model}}"), w=12,
    ),
    timeseries(
        "Tokens per call, p95", "none", "Prompts and answers, as reported or counted.",
        q(quantile(0.95, "gen_ai_client_token_usage", "gen_ai_token_type", WHERE), "{{gen_ai_token_type}}"), w=12,
    ),
]

PROVIDERS = [
    timeseries("Calls by provider", "reqps", "Tries, each target's of its own.", q(rate(f"{CALLS}_count", "weir_provider", WHERE), "{{weir_provider}}"), stacked=True, w=6),
    timeseries(
        "Failures by code", "reqps", "What providers' failures were. Healthy: none.",
        q(f"topk(12, {rate(f'{CALLS}_count', 'weir_provider, error_type', FAILED)})",
          "{{weir_provider}}: {{error_type}}"), runbooks=["provider_error"], w=6,
    ),
    timeseries(
        "Given up for the next target", "reqps", "Fallbacks, by who was given up.",
        q(rate("weir_upstream_retries_total", "weir_upstream", 'reason="fallback"'), "{{weir_upstream}}"),
        runbooks=["provider_overloaded"], w=6,
    ),
    alarms(
        "Targets set aside", "Red while a target is not asked, as it failed or is at its limit.",
        q('max by (weir_provider, gen_ai_request_model) (weir_llm_target_set_aside{weir_provider=~"$provider"})', "{{weir_provider}} {{gen_ai_request_model}}"),
        runbooks=["provider_rate_limited", "provider_overloaded"], w=6,
    ),
]

KEPT = [
    timeseries(
        "Calls by where their answers came from", "reqps", "hit, semantic_hit, miss, bypass.",
        q(rate("weir_llm_cache_lookups_total", "result"), "{{result}}"), stacked=True, w=6,
    ),
    timeseries(
        "Share answered from what was kept", "percentunit", "Of the calls that could have been. More is cheaper.",
        q(rate("weir_llm_cache_lookups_total", "weir_route", 'result=~".*hit"') + " / "
          + rate("weir_llm_cache_lookups_total", "weir_route", 'result!="bypass"'), "{{weir_route}}"), w=6,
    ),
    timeseries(
        "Kept, and what stood in the way", "ops", "Healthy: no failures; evictions mean that more memory would keep more.",
        q(rate("weir_llm_cache_kept_total"), "kept"), q(rate("weir_llm_cache_evictions_total"), "made room"),
        q(rate("weir_llm_cache_failures_total", "cause"), "failed: {{cause}}"), w=6,
    ),
    timeseries(
        "Findings of guardrails", "ops", "By rule and direction.",
        q(rate("weir_guardrail_findings_total", "weir_policy, rule, direction"), "{{weir_policy}} {{rule}} ({{direction}})"),
        runbooks=["prompt_denied", "completion_denied"], w=6,
    ),
]

BOARD = board(
    "weir-llm", "Who asks which model for how much, what it costs, how fast it is, and which provider fails.",
    ["team", "model", "provider"],
    [("At a glance", GLANCE), ("Money", MONEY), ("Tokens", USED), ("Speed", SPEED), ("Providers", PROVIDERS),
     ("Answers that were kept, and guardrails", KEPT)],
)
