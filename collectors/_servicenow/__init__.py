"""The parts of the ServiceNow collector."""
