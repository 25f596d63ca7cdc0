"""The mapped customer: which text goes into which field, and its look-ups. Validation and transform share it."""
