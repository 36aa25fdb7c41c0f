BEGIN TRANSACTION;
CREATE TABLE gx_results (
	expectation_suite_name VARCHAR NOT NULL, 
	run_name VARCHAR NOT NULL, 
	run_time VARCHAR NOT NULL, 
	batch_identifier VARCHAR NOT NULL, 
	value VARCHAR, 
	PRIMARY KEY (expectation_suite_name, run_name, run_time, batch_identifier)
);
INSERT INTO "gx_results" VALUES('loans.quality','nightly','20261126T073016.091536Z','lending-loans','{
  "id": null,
  "meta": {
    "active_batch_definition": {
      "batch_identifiers": {
        "dataframe": "<DATAFRAME>"
      },
      "data_asset_name": "loans",
      "data_connector_name": "fluent",
      "datasource_name": "lending"
    },
    "batch_markers": {
      "ge_load_time": "20261126T073016.093631Z",
      "pandas_data_fingerprint": "8c1e501255bd4749fc1ea105ecc77cf4"
    },
    "batch_parameters": {
      "dataframe": "<DATAFRAME>"
    },
    "batch_spec": {
      "batch_data": "PandasDataFrame"
    },
    "checkpoint_id": null,
    "great_expectations_version": "1.12.3",
    "run_id": {
      "run_name": "nightly",
      "run_time": "2026-11-26T07:30:16.091536+00:00"
    },
    "validation_id": "bb226e2c-cb8c-45c8-b3d2-0bd2ea661386",
    "validation_time": "2026-11-26T07:30:16.091536+00:00"
  },
  "results": [
    {
      "exception_info": {
        "exception_message": null,
        "exception_traceback": null,
        "raised_exception": false
      },
      "expectation_config": {
        "id": "83d95fd8-17ef-4d86-93ce-5339290ced0c",
        "kwargs": {
          "batch_id": "lending-loans",
          "column": "id"
        },
        "meta": {},
        "severity": "critical",
        "type": "expect_column_values_to_not_be_null"
      },
      "meta": {},
      "result": {
        "element_count": 2,
        "partial_unexpected_counts": [],
        "partial_unexpected_index_list": [],
        "partial_unexpected_list": [],
        "unexpected_count": 0,
        "unexpected_percent": 0.0
      },
      "success": true
    },
    {
      "exception_info": {
        "exception_message": null,
        "exception_traceback": null,
        "raised_exception": false
      },
      "expectation_config": {
        "id": "ed9a09a4-c398-4baa-a46a-2178078302ad",
        "kwargs": {
          "batch_id": "lending-loans",
          "column": "amount",
          "min_value": 0.0
        },
        "meta": {},
        "severity": "warning",
        "type": "expect_column_values_to_be_between"
      },
      "meta": {},
      "result": {
        "element_count": 2,
        "missing_count": 0,
        "missing_percent": 0.0,
        "partial_unexpected_counts": [],
        "partial_unexpected_index_list": [],
        "partial_unexpected_list": [],
        "unexpected_count": 0,
        "unexpected_percent": 0.0,
        "unexpected_percent_nonmissing": 0.0,
        "unexpected_percent_total": 0.0
      },
      "success": true
    }
  ],
  "statistics": {
    "evaluated_expectations": 2,
    "success_percent": 100.0,
    "successful_expectations": 2,
    "unsuccessful_expectations": 0
  },
  "success": true,
  "suite_name": "loans.quality",
  "suite_parameters": {}
}');
INSERT INTO "gx_results" VALUES('loans.quality','nightly','20261126T073016.252729Z','lending-loans','{
  "id": null,
  "meta": {
    "active_batch_definition": {
      "batch_identifiers": {
        "dataframe": "<DATAFRAME>"
      },
      "data_asset_name": "loans",
      "data_connector_name": "fluent",
      "datasource_name": "lending"
    },
    "batch_markers": {
      "ge_load_time": "20261126T073016.259867Z",
      "pandas_data_fingerprint": "26a2cb4167b566d9afd45e436ce95632"
    },
    "batch_parameters": {
      "dataframe": "<DATAFRAME>"
    },
    "batch_spec": {
      "batch_data": "PandasDataFrame"
    },
    "checkpoint_id": null,
    "great_expectations_version": "1.12.3",
    "run_id": {
      "run_name": "nightly",
      "run_time": "2026-11-26T07:30:16.252729+00:00"
    },
    "validation_id": "bb226e2c-cb8c-45c8-b3d2-0bd2ea661386",
    "validation_time": "2026-11-26T07:30:16.252729+00:00"
  },
  "results": [
    {
      "exception_info": {
        "exception_message": null,
        "exception_traceback": null,
        "raised_exception": false
      },
      "expectation_config": {
        "id": "83d95fd8-17ef-4d86-93ce-5339290ced0c",
        "kwargs": {
          "batch_id": "lending-loans",
          "column": "id"
        },
        "meta": {},
        "severity": "critical",
        "type": "expect_column_values_to_not_be_null"
      },
      "meta": {},
      "result": {
        "element_count": 2,
        "partial_unexpected_counts": [],
        "partial_unexpected_index_list": [],
        "partial_unexpected_list": [],
        "unexpected_count": 0,
        "unexpected_percent": 0.0
      },
      "success": true
    },
    {
      "exception_info": {
        "exception_message": null,
        "exception_traceback": null,
        "raised_exception": false
      },
      "expectation_config": {
        "id": "ed9a09a4-c398-4baa-a46a-2178078302ad",
        "kwargs": {
          "batch_id": "lending-loans",
          "column": "amount",
          "min_value": 0.0
        },
        "meta": {},
        "severity": "warning",
        "type": "expect_column_values_to_be_between"
      },
      "meta": {},
      "result": {
        "element_count": 2,
        "missing_count": 0,
        "missing_percent": 0.0,
        "partial_unexpected_counts": [
          {
            "count": 1,
            "value": -2
          }
        ],
        "partial_unexpected_index_list": [
          1
        ],
        "partial_unexpected_list": [
          -2
        ],
        "unexpected_count": 1,
        "unexpected_percent": 50.0,
        "unexpected_percent_nonmissing": 50.0,
        "unexpected_percent_total": 50.0
      },
      "success": false
    }
  ],
  "statistics": {
    "evaluated_expectations": 2,
    "success_percent": 50.0,
    "successful_expectations": 1,
    "unsuccessful_expectations": 1
  },
  "success": false,
  "suite_name": "loans.quality",
  "suite_parameters": {}
}');
INSERT INTO "gx_results" VALUES('loans.quality','__none__','20261126T073016.474600Z','lending-loans','{
  "id": null,
  "meta": {
    "active_batch_definition": {
      "batch_identifiers": {
        "dataframe": "<DATAFRAME>"
      },
      "data_asset_name": "loans",
      "data_connector_name": "fluent",
      "datasource_name": "lending"
    },
    "batch_markers": {
      "ge_load_time": "20261126T073016.413433Z",
      "pandas_data_fingerprint": "1e461a0df5fe0a6db2c3bc4ef88ef1f0"
    },
    "batch_parameters": {
      "dataframe": "<DATAFRAME>"
    },
    "batch_spec": {
      "batch_data": "PandasDataFrame"
    },
    "checkpoint_id": null,
    "great_expectations_version": "1.12.3",
    "run_id": {
      "run_name": null,
      "run_time": "2026-11-26T07:30:16.474600+00:00"
    },
    "validation_id": "bb226e2c-cb8c-45c8-b3d2-0bd2ea661386",
    "validation_time": "2026-11-26T07:30:16.474600+00:00"
  },
  "results": [
    {
      "exception_info": {
        "exception_message": null,
        "exception_traceback": null,
        "raised_exception": false
      },
      "expectation_config": {
        "id": "83d95fd8-17ef-4d86-93ce-5339290ced0c",
        "kwargs": {
          "batch_id": "lending-loans",
          "column": "id"
        },
        "meta": {},
        "severity": "critical",
        "type": "expect_column_values_to_not_be_null"
      },
      "meta": {},
      "result": {
        "element_count": 2,
        "partial_unexpected_counts": [],
        "partial_unexpected_index_list": [],
        "partial_unexpected_list": [],
        "unexpected_count": 0,
        "unexpected_percent": 0.0
      },
      "success": true
    },
    {
      "exception_info": {
        "exception_message": null,
        "exception_traceback": null,
        "raised_exception": false
      },
      "expectation_config": {
        "id": "ed9a09a4-c398-4baa-a46a-2178078302ad",
        "kwargs": {
          "batch_id": "lending-loans",
          "column": "amount",
          "min_value": 0.0
        },
        "meta": {},
        "severity": "warning",
        "type": "expect_column_values_to_be_between"
      },
      "meta": {},
      "result": {
        "element_count": 2,
        "missing_count": 0,
        "missing_percent": 0.0,
        "partial_unexpected_counts": [],
        "partial_unexpected_index_list": [],
        "partial_unexpected_list": [],
        "unexpected_count": 0,
        "unexpected_percent": 0.0,
        "unexpected_percent_nonmissing": 0.0,
        "unexpected_percent_total": 0.0
      },
      "success": true
    }
  ],
  "statistics": {
    "evaluated_expectations": 2,
    "success_percent": 100.0,
    "successful_expectations": 2,
    "unsuccessful_expectations": 0
  },
  "success": true,
  "suite_name": "loans.quality",
  "suite_parameters": {}
}');
CREATE TABLE gx_suites (
	expectation_suite_name VARCHAR NOT NULL, 
	value VARCHAR, 
	PRIMARY KEY (expectation_suite_name)
);
INSERT INTO "gx_suites" VALUES('loans.quality','{
  "expectations": [
    {
      "id": "83d95fd8-17ef-4d86-93ce-5339290ced0c",
      "kwargs": {
        "column": "id"
      },
      "meta": {},
      "severity": "critical",
      "type": "expect_column_values_to_not_be_null"
    },
    {
      "id": "ed9a09a4-c398-4baa-a46a-2178078302ad",
      "kwargs": {
        "column": "amount",
        "min_value": 0.0
      },
      "meta": {},
      "severity": "warning",
      "type": "expect_column_values_to_be_between"
    }
  ],
  "id": "4dd32633-d14b-46ce-9e4e-ea66f7a2d59c",
  "meta": {
    "great_expectations_version": "1.12.3"
  },
  "name": "loans.quality",
  "notes": null
}');
COMMIT;
