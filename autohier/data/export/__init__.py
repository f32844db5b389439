"""Export of prepared clips to the formats of other tools."""
