"""The parts of the CloudTrail collector."""
