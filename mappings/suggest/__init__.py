"""Which controls an untagged item may speak to: proposals, for people to decide."""
