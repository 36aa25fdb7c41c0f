# Two commands set everything up on a fresh machine: make demo, make test. Neither asks for root.
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(if $(shell command -v $(p)),$(p))))
BIN := .venv/bin
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false
.PHONY: demo test check lint types rooms format bench clean

demo: ; @$(PYTHON) bootstrap/setup.py runtime && $(BIN)/headwater demo
test: dev ; @$(BIN)/python -m pytest
check: dev lint types rooms test
lint: dev ; @$(BIN)/ruff check . && $(BIN)/ruff format --check .
types: dev ; @$(BIN)/mypy
rooms: dev ; @$(BIN)/lint-imports
format: dev ; @$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
dev: ; @$(PYTHON) bootstrap/setup.py dev
.PHONY: dev
clean: ; rm -rf .venv .uv demo-company .pytest_cache .mypy_cache .ruff_cache .hypothesis
