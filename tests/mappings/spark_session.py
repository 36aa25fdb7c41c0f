"""A Spark of one core, in an environment of its own: a line of JSON in (Parquet files, a SELECT
over the relation `items`), a line of JSON out (its rows), until the input ends.

Where libraries of ours find PySpark beside them they load it, and do not take it with our pandas.
"""

from __future__ import annotations

import json
import sys

from pyspark.sql import SparkSession

SETTINGS = {
    "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1",
    "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC", "spark.sql.warehouse.dir": f"{sys.argv[1]}/house",
}  # fmt: skip


def serve() -> None:
    build = SparkSession.builder.master("local[1]").appName("headwater")
    for key, value in SETTINGS.items():
        build = build.config(key, value)
    session = build.getOrCreate()
    for line in sys.stdin:
        files, sql = json.loads(line)
        session.catalog.clearCache()
        session.read.parquet(*files).createOrReplaceTempView("items")
        rows = [list(row) for row in session.sql(sql).collect()]
        print(json.dumps(rows), flush=True)
    session.stop()


if __name__ == "__main__":
    serve()
