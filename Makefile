# Two commands set everything up on a fresh machine: make demo, make test. Neither asks for root.
BIN := .venv/bin
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false
.PHONY: demo test check lint types rooms format bench clean runtime dev

demo: runtime ; @$(BIN)/headwater demo
test: dev ; @$(BIN)/python -m pytest
check: lint types rooms test
lint: dev ; @$(BIN)/ruff check . && $(BIN)/ruff format --check .
types: dev ; @$(BIN)/mypy
rooms: dev ; @$(BIN)/lint-imports
bench: dev ; @$(BIN)/python -m benchmarks.lake
format: dev ; @$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
runtime dev: ; @bootstrap/python bootstrap/setup.py $@
clean: ; rm -rf .venv .uv .spark demo-company .pytest_cache .mypy_cache .ruff_cache .hypothesis
