"""Pieces of PromQL that many panels are made of."""


def rate(metric, by="", where="", window="$__rate_interval"):
    """`sum by (…) (rate(…))`."""
    return f"sum{_by(by)} (rate({metric}{_where(where)}[{window}]))"


def quantile(q, histogram, by="", where=""):
    """A quantile of a histogram, by its name without `_bucket`."""
    labels = ", ".join(filter(None, [by, "le"]))
    return f"histogram_quantile({q}, {rate(histogram + '_bucket', labels, where)})"


def mean(histogram, by="", where=""):
    """The mean of a histogram."""
    return f"{rate(histogram + '_sum', by, where)} / {rate(histogram + '_count', by, where)}"


def share(metric, part, where="", by=""):
    """The share of `part` among all of a counter, zero where there is none of it."""
    both = ", ".join(filter(None, [where, part]))
    return f"({rate(metric, by, both)} or {rate(metric, by, where)} * 0) / {rate(metric, by, where)}"


def _by(labels):
    return f" by ({labels})" if labels else ""


def _where(matchers):
    return "{" + matchers + "}" if matchers else ""
