"""What Headwater lands about itself: one source, and the kinds that no collector may use."""

from __future__ import annotations

OWN_SOURCE = "headwater"
"""The source of Headwater's own acts; no source in headwater.toml may have this name."""
ACTION_KIND = "headwater.action"
MAPPING_KIND = "headwater.mapping"
DISPOSAL_KIND = "headwater.disposal"
CORRECTION_KIND = "headwater.correction"
WAIVER_KIND = "headwater.waiver"
SUGGESTION_KIND = "headwater.suggestion"
DRAFT_KIND = "headwater.draft"
HEALTH_KIND = "headwater.health"
"""A trouble of Headwater itself: failed while it lasts, passed once it has ended."""
READ_KIND = "headwater.read"
"""What an auditor read of the board and asked of the lake."""
DRIFT_KIND = "headwater.drift"
"""What a rendered document says that is no longer so: failed while it lasts, then passed."""
