"""How the trees of SQL are put together: each node is made for one place in its tree.

With copies, which sqlglot makes by default, every step would copy all below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sqlglot import exp

and_ = partial(exp.and_, copy=False)
or_ = partial(exp.or_, copy=False)
not_ = partial(exp.not_, copy=False)
func = partial(exp.func, copy=False)
paren = partial(exp.paren, copy=False)
cast = partial(exp.cast, copy=False)
TEXTS = exp.DataType.build("VARCHAR[]", dialect="duckdb")
COMPARE: Mapping[str, type[exp.Binary]] = {
    "gt": exp.GT, "gte": exp.GTE, "lt": exp.LT, "lte": exp.LTE,
}  # fmt: skip
